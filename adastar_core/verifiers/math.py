"""The verifier of formulas: LaTeX and expressions, parsed by math-verify in worker processes."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cached_property, partial
from importlib.metadata import version

from adastar_core.records import CUT_SHORT, FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers import Response, latex
from adastar_core.verifiers.declarations import Declared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.latex import Formula
from adastar_core.verifiers.math_pool import SECONDS, STEPS, MathPool
from adastar_core.verifiers.numbers import Number, read_number
from adastar_core.verifiers.tidy import is_question

_PROSE_WORDS = 4


class _CutShort(Exception):
    """Whether two answers of one response agree was not found out, so neither is which one counts."""


class MathVerifier:
    """Compares the declared formula with the reference.

    Numbers are compared exactly and equal spellings at once, in this process; everything else goes to a
    worker process. Right means proven equal, wrong means shown to differ; the rest is undecided.
    """

    def __init__(self, workers: int = 1, seconds: float = SECONDS) -> None:
        self.workers = workers
        self._pool = MathPool(workers, seconds, STEPS, 2 * seconds)

    @cached_property
    def version(self) -> str:
        """Name and version, with those of the libraries that decide."""
        return f"math/4+math-verify-{version('math-verify')}+sympy-{version('sympy')}"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        try:
            found = extract(response, finish_reason, _read, self._same)
        except _CutShort as cut:
            return Verdict(Outcome.UNDECIDED, None, "", str(cut), self.version)
        return found.verdict(self.version, partial(self._compare, latex.read_latex(observation.answer)))

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

    def _compare(self, reference: Formula, answer: Formula) -> tuple[Outcome, str]:
        if not reference.latex:
            return Outcome.UNDECIDED, "the reference is empty"
        outcome, reason = (
            _as_numbers(reference, answer)
            or _as_words(reference, answer)
            or self._as_formulas(reference, answer)
        )
        units = {
            unit.casefold().strip(" .").removesuffix("s") for unit in (reference.unit, answer.unit) if unit
        }
        if outcome is Outcome.RIGHT and len(units) == 2:
            return Outcome.UNDECIDED, f"equals the reference {reference} but for the unit"
        return outcome, reason

    def _as_formulas(self, reference: Formula, answer: Formula) -> tuple[Outcome, str]:
        if latex.same_spelling(reference.latex, answer.latex):
            return Outcome.RIGHT, "is spelt as the reference"
        for formula, whose in ((reference, f"the reference {reference}"), (answer, "the declared answer")):
            if trouble := latex.unreadable(formula.latex):
                return Outcome.UNDECIDED, f"{whose} has {trouble}, which parsers misread"
        outcome, reason = self._pool.judge(reference.latex, answer.latex)
        variables = latex.letters(reference.latex), latex.letters(answer.latex)
        folded = [sorted({letter.lower() for letter in names}) for names in variables]
        if outcome is Outcome.RIGHT and variables[0] != variables[1] and folded[0] == folded[1]:
            return Outcome.UNDECIDED, "differs from the reference in capital letters"
        return outcome, reason


def _read(declared: Declared) -> Parsed[Formula] | Unclear | None:
    return read_formula(declared.text)


def read_formula(text: str) -> Parsed[Formula] | Unclear | None:
    """Read X as a formula; more than a few words are prose."""
    written = latex.read_latex(text)
    if not written.latex or (latex.words_only(written.latex) and len(written.latex.split()) > _PROSE_WORDS):
        return None
    if is_question(text):
        return Unclear("the declared answer is a question")
    return Parsed(written, str(written))


def _as_numbers(reference: Formula, answer: Formula) -> tuple[Outcome, str] | None:
    if not latex.is_number(reference) or not latex.is_number(answer):
        return None
    one, other = read_number(str(reference)), read_number(str(answer))
    if not isinstance(one, Parsed) or not isinstance(other, Parsed):
        return None
    if one.value.equals(other.value):
        return Outcome.RIGHT, "equals the reference"
    if one.value.may_equal(other.value):
        return (
            Outcome.UNDECIDED,
            f"equals the reference {reference} only in another reading, e.g. of its unit",
        )
    if _rounds_to(one, other) or _rounds_to(other, one):
        return Outcome.UNDECIDED, f"equals the reference {reference} only when rounded"
    return Outcome.WRONG, f"differs from the reference {reference}"


def _rounds_to(one: Parsed[Number], other: Parsed[Number]) -> bool:
    """Return whether ``other`` is ``one`` rounded to three or more decimal places."""
    places = len(other.text.partition(".")[2])
    return (
        places >= 3
        and other.text[-1].isdigit()
        and round(Fraction(one.value.certain[0]), places) == other.value.certain[0]
    )


def _as_words(reference: Formula, answer: Formula) -> tuple[Outcome, str] | None:
    if not latex.words_only(reference.latex) or not latex.words_only(answer.latex):
        return None
    if reference.latex.casefold().strip("()") == answer.latex.casefold().strip("()"):
        return Outcome.RIGHT, "is the reference"
    return Outcome.WRONG, f"differs from the reference {reference}"
