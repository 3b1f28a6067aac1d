"""The verifier of class labels: ANLI, or any closed set of names."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import Choice, FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.declarations import Declared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.options import is_remark, named_option, read_option
from adastar_core.verifiers.tidy import ends, folded, is_asked, spelled, starts, tidy

_SENTENCE_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bSt)(?<!\bMt)(?<!\b[DMJS]r)(?<!\bMrs)\.(?=\s|$)|[;!?](?=\s|$)|,?\s(?:because|since|as|due)\s|,\s(?:which|and)\s"
)
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class LabelVerifier:
    """Compares the declared class with the reference, without regard to case.

    A class is declared by its label or its name where the question lists its classes, and by the
    reference's own words where it does not.
    """

    @property
    def version(self) -> str:
        return "label/4"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        choices, answer = observation.choices, observation.answer
        if choices:
            remark = partial(is_remark, choices)
            found = extract(response, finish_reason, partial(_read, choices), str.__eq__, harmless=remark)
            return found.verdict(self.version, partial(_compare_class, choices, answer))
        reference = tidy(answer)
        found = extract(response, finish_reason, partial(_read_name, reference), _same)
        return found.verdict(self.version, partial(_compare_name, reference))

    def declare(self, observation: Observation) -> str:
        labels = {choice.label for choice in observation.choices}
        return f" The answer is {f'({observation.answer})' if observation.answer in labels else observation.answer}."


def _read(choices: tuple[Choice, ...], declared: Declared) -> Parsed[str] | Unclear | None:
    return read_option(choices, declared.said)


def _compare_class(choices: tuple[Choice, ...], answer: str, value: str) -> tuple[Outcome, str]:
    reference = named_option(choices, answer)
    if reference is None:
        return Outcome.UNDECIDED, f"the reference {answer!r} is none of the classes"
    if value == reference:
        return Outcome.RIGHT, "is the reference class"
    return Outcome.WRONG, f"differs from the reference {reference}"


def _read_name(reference: str, declared: Declared) -> Parsed[str] | Unclear | None:
    """Read a name that nothing lists: the reference, which says where its own words end, or the words of a sentence."""
    spelling = spelled(declared.text + declared.following)
    small, wanted = folded(spelling), folded(reference)
    begins = list(starts(spelling))
    for words in (wanted, wanted.removeprefix("the ")):
        for start in begins:
            end = start + len(words)
            if words and small.startswith(words, start) and ends(spelling, end):
                return _named(reference, spelling[end:])
    sentence = _SENTENCE_END.search(spelling, begins[-1] + 1)
    end = sentence.start() if sentence else len(spelling)
    return _named(tidy(spelling[begins[-1] : end]).strip("()[] "), spelling[end:])


def _named(name: str, rest: str) -> Parsed[str] | Unclear | None:
    if not _WORD.search(name):
        return None
    return Unclear("the declared answer is a question") if is_asked(rest) else Parsed(name, name, rest)


def _same(one: str, other: str) -> bool:
    return folded(one) == folded(other)


def _compare_name(reference: str, value: str) -> tuple[Outcome, str]:
    if not reference:
        return Outcome.UNDECIDED, "the reference is empty"
    if _same(reference, value):
        return Outcome.RIGHT, "is the reference class"
    if f" {folded(reference)} " in f" {folded(value)} ":
        return Outcome.UNDECIDED, f"says more than the reference {reference}"
    return Outcome.WRONG, f"differs from the reference {reference}"
