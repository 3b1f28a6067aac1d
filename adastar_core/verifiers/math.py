"""The verifier of formulas: LaTeX and expressions, parsed by math-verify in worker processes."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import cached_property, partial
from importlib.metadata import version

from adastar_core.records import CUT_SHORT, FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers import Response, latex
from adastar_core.verifiers.declarations import Declared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.formulas import Formula, alternatives, exact_value, is_tuple, read_formula
from adastar_core.verifiers.math_pool import SECONDS, STEPS, MathPool
from adastar_core.verifiers.statements import MOST_WORDS, read_statement

_MOST_MEMBERS = 16
_ASKED = re.compile(r"[\s*_$)\]}\\]*\?")
_EXPLAINS_A_LETTER = re.compile(
    r"(?:and\s+|where\s+|with\s+)*\$?\\?[A-Za-z]\$?\s+(?:is|denotes|=)\s+(?:an?|the|any)\s+(?:(?:arbitrary|real|integration)\s+)*"
    r"(?:constant|integer|number)(?:\s+of\s+integration)?[\s.]*",
    re.IGNORECASE,
)
_GROUPS = re.compile(r"\d+")
_IN_GROUPS = re.compile(r"\d+(?:\s*,\s*\d+)+")
Judged = tuple[Outcome, str]


class _CutShort(Exception):
    """Whether two answers of one response agree was not found out, so neither is which one counts."""


class MathVerifier:
    """Compares the declared formula with the reference.

    Numbers are compared exactly, equal spellings at once and lists member by member, in this process; everything else
    goes to a worker process. Right means proven equal, wrong means shown to differ; the rest is undecided.
    """

    def __init__(self, workers: int = 1, seconds: float = SECONDS) -> None:
        self.workers = workers
        self._pool = MathPool(workers, seconds, STEPS, 2 * seconds)

    @cached_property
    def version(self) -> str:
        """Name and version, with those of the libraries that decide."""
        return f"math/5+math-verify-{version('math-verify')}+sympy-{version('sympy')}"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        try:
            found = extract(response, finish_reason, _read, self._same, harmless=_is_harmless)
        except _CutShort as cut:
            return Verdict(Outcome.UNDECIDED, None, "", str(cut), self.version)
        return found.verdict(self.version, partial(self._compare, read_formula(observation.answer)))

    def declare(self, observation: Observation) -> str:
        return f" The answer is $\\boxed{{{observation.answer}}}$."

    def verify_all(self, responses: Sequence[Response]) -> list[Verdict]:
        """Return one verdict per response, in order: an answer that hangs costs its deadline in one worker process alone."""
        if self.workers == 1 or len(responses) < 2:
            return [self.verify(*response) for response in responses]
        # These threads only wait for the worker processes, which do the comparing and are killed at the deadline.
        with ThreadPoolExecutor(self.workers) as threads:
            return list(threads.map(lambda response: self.verify(*response), responses))

    def close(self) -> None:
        """End the worker processes; they start again when the verifier is used again."""
        self._pool.close()

    def _same(self, one: Formula, other: Formula) -> bool:
        outcome, reason = self._compare(one, other)
        if reason.startswith(CUT_SHORT):
            raise _CutShort(reason)
        return outcome is Outcome.RIGHT

    def _compare(self, reference: Formula, answer: Formula) -> Judged:
        if not reference.latex:
            return Outcome.UNDECIDED, "the reference is empty"
        reference, answer = _with_unit_of(reference, answer), _with_unit_of(answer, reference)
        units = {unit for unit in (reference.unit, answer.unit) if unit}
        if len(units) == 2:
            return Outcome.UNDECIDED, f"has another unit than the reference {reference}"
        outcome, reason = self._stated(reference, answer)
        if outcome is Outcome.RIGHT:
            return self._calculated(answer) or (outcome, reason)
        return (
            (outcome, reason)
            if outcome is not Outcome.WRONG
            else _in_another_reading(reference, answer) or (outcome, reason)
        )

    def _calculated(self, answer: Formula) -> Judged | None:
        """Return what a calculation before the value is worth that is not shown to be true; ``None`` without one."""
        for claim in answer.claims:
            outcome, reason = self._values(answer.value, claim)
            if outcome is Outcome.WRONG:
                return outcome, f"states {claim} = {answer.value}, which is false"
            if outcome is Outcome.UNDECIDED:
                return outcome, f"states {claim} = {answer.value}, which cannot be shown: {reason}"
        return None

    def _stated(self, reference: Formula, answer: Formula) -> Judged:
        """Compare values where both have one under one name, or only one is named; else equations."""
        equations = [one for one in (reference, answer) if one.chained or one.name]
        if any(one.chained for one in equations) and len(equations) == 1:
            return Outcome.UNDECIDED, f"is an equation, or the reference {reference} is one"
        names = {latex.squeezed(one.name) for one in equations if not one.chained}
        if len(names) == 2 or any(one.chained for one in equations):
            return self._formulas(reference.latex, answer.latex)
        return self._values(reference.value, answer.value)

    def _values(self, reference: str, answer: str) -> Judged:
        ours, theirs = alternatives(reference), alternatives(answer)
        if max(len(ours), len(theirs)) > 1:
            return self._lists(reference, answer, ours, theirs)
        return (
            _as_numbers(reference, answer)
            or _as_letters(reference, answer)
            or _as_words(reference, answer)
            or self._formulas(reference, answer)
        )

    def _lists(self, reference: str, answer: str, ours: list[str], theirs: list[str]) -> Judged:
        """Compare enumerations in any order; a tuple, which has one, is never the same as a list."""
        if latex.same_spelling(reference, answer):
            return Outcome.RIGHT, "is spelt as the reference"
        ordered = [one for one in (reference, answer) if is_tuple(one)]
        ours, theirs = (
            latex.members(one[1:-1]) if one in ordered else parts
            for one, parts in ((reference, ours), (answer, theirs))
        )
        if max(len(ours), len(theirs)) > _MOST_MEMBERS:
            return Outcome.UNDECIDED, f"lists of more than {_MOST_MEMBERS} members are not compared"
        outcome, reason = self._members(ours, theirs)
        if outcome is Outcome.RIGHT and ordered:
            return (
                Outcome.UNDECIDED,
                f"has the members of the reference {reference}, but one of both is ordered",
            )
        return outcome, reason

    def _members(self, ours: list[str], theirs: list[str]) -> Judged:
        missing, left = [], list(theirs)
        doubts: list[str] = []
        for one in ours:
            found, doubt = self._partner(one, left)
            doubts += [doubt] if doubt else []
            missing += [] if found is not None else [one]
            if found is not None:
                left.remove(found)
        if not missing and not left:
            return Outcome.RIGHT, "has the members of the reference"
        repeats = all(self._partner(one, theirs)[0] for one in missing) and all(
            self._partner(one, ours)[0] for one in left
        )
        if doubts or repeats:
            return Outcome.UNDECIDED, doubts[
                0
            ] if doubts else "has the members of the reference, not each as often"
        return Outcome.WRONG, f"has other members than the reference: {', '.join(theirs)}"

    def _partner(self, one: str, others: list[str]) -> tuple[str | None, str]:
        """Return the member that is proven equal, and why another may be."""
        doubt = ""
        for other in others:
            outcome, reason = self._compare(read_formula(one), read_formula(other))
            if outcome is Outcome.RIGHT:
                return other, ""
            doubt = doubt or (reason if outcome is Outcome.UNDECIDED else "")
        return None, doubt

    def _formulas(self, reference: str, answer: str) -> Judged:
        if latex.same_spelling(reference, answer):
            return Outcome.RIGHT, "is spelt as the reference"
        for formula, whose in ((reference, f"the reference {reference}"), (answer, "the declared answer")):
            if trouble := latex.unreadable(formula):
                return Outcome.UNDECIDED, f"{whose} has {trouble}, which parsers misread"
        outcome, reason = self._pool.judge(reference, answer)
        variables = latex.letters(reference), latex.letters(answer)
        folded = [sorted({letter.lower() for letter in names}) for names in variables]
        if outcome is Outcome.RIGHT and variables[0] != variables[1] and folded[0] == folded[1]:
            return Outcome.UNDECIDED, "differs from the reference in capital letters"
        return outcome, reason


def _read(declared: Declared) -> Parsed[Formula] | Unclear | None:
    stated = read_statement(declared)
    if stated is None:
        return None
    if stated.trouble:
        return Unclear(stated.trouble)
    if _ASKED.match(stated.rest):
        return Unclear("the declared answer is a question")
    formula = read_formula(stated.written)
    if not formula.latex or (latex.words_only(formula.latex) and len(formula.latex.split()) > MOST_WORDS):
        return None
    if stated.unit and formula.unit:
        return Unclear(f"the declared answer has two units: {formula.unit} and {stated.unit}")
    formula = replace(formula, unit=stated.unit) if stated.unit else formula
    return Parsed(formula, str(formula), stated.rest)


def _is_harmless(_: Formula, sentence: str) -> bool | None:
    return True if _EXPLAINS_A_LETTER.fullmatch(sentence) else None


def _with_unit_of(one: Formula, other: Formula) -> Formula:
    """Return ``5 m`` as 5 metres where the other formula counts metres."""
    if one.unit or not other.unit.isalpha() or one.name or not one.latex.endswith(other.unit):
        return one
    number = one.latex.removesuffix(other.unit).strip()
    return Formula(number, other.unit, value=number) if exact_value(number) is not None else one


def _as_numbers(reference: str, answer: str) -> Judged | None:
    one, other = exact_value(reference), exact_value(answer)
    if one is None or other is None:
        return None
    if one == other:
        return Outcome.RIGHT, "equals the reference"
    if _rounds_to(one, other, answer) or _rounds_to(other, one, reference):
        return Outcome.UNDECIDED, f"equals the reference {reference} only when rounded"
    return Outcome.WRONG, f"differs from the reference {reference}"


def _rounds_to(exact: Fraction, rounded: Fraction, written: str) -> bool:
    """Return whether a number that is written with three or more decimal places is another one rounded to them."""
    places = len(written.partition(".")[2])
    return places >= 3 and written[-1:].isdigit() and round(exact, places) == rounded


def _in_another_reading(reference: Formula, answer: Formula) -> Judged | None:
    """Return the doubt about two numbers that differ, but are one where a percentage, an angle or a comma is read otherwise."""
    if reference.unit != answer.unit and "%" in (reference.unit, answer.unit):
        one, other = (_share(formula) for formula in (reference, answer))
        if one is not None and one == other:
            return Outcome.RIGHT, "equals the reference"
    if "°" in (reference.unit, answer.unit) and reference.unit != answer.unit:
        return Outcome.UNDECIDED, f"is an angle in degrees, or the reference {reference} is"
    groups = [
        sorted(_GROUPS.findall(one.written))
        for one in (reference, answer)
        if _IN_GROUPS.fullmatch(one.written)
    ]
    if len(groups) == 2 and groups[0] == groups[1]:
        return Outcome.UNDECIDED, f"equals the reference {reference} only in another reading of its commas"
    return None


def _share(formula: Formula) -> Fraction | None:
    value = exact_value(formula.value)
    return value / 100 if value is not None and formula.unit == "%" else value


def _as_letters(reference: str, answer: str) -> Judged | None:
    r"""Compare options: ``(C)``, ``C`` and ``\text{C}`` are one, and e is not E."""
    one, other = reference.strip("() "), answer.strip("() ")
    if not (len(one) == len(other) == 1 and one.isalpha() and other.isalpha()):
        return None
    if one == other:
        return Outcome.RIGHT, "is the reference"
    if one.lower() == other.lower():
        return Outcome.UNDECIDED, "differs from the reference in capital letters"
    return Outcome.WRONG, f"differs from the reference {reference}"


def _as_words(reference: str, answer: str) -> Judged | None:
    sides = (reference, answer)
    if not all(latex.words_only(side) or side.isalpha() for side in sides) or not any(
        map(latex.words_only, sides)
    ):
        return None
    one, other = (_words(text) for text in (reference, answer))
    if one == other:
        return Outcome.RIGHT, "is the reference"
    if sorted(reference) == sorted(answer) and len(answer) == 3:
        return Outcome.UNDECIDED, f"is a word, or a product as the reference {reference}"
    if set(one) <= set(other) or set(other) <= set(one):
        return Outcome.UNDECIDED, f"has the words of the reference {reference} and others"
    return Outcome.WRONG, f"differs from the reference {reference}"


def _words(text: str) -> list[str]:
    return [
        word
        for word in text.casefold().replace("(", " ").replace(")", " ").split()
        if word not in ("the", "a", "an")
    ]
