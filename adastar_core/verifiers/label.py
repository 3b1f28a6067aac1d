"""The verifier of class labels: ANLI, or any closed set of names."""

from dataclasses import dataclass
from functools import partial

from adastar_core.records import Choice, FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.declarations import Declared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.options import read_option
from adastar_core.verifiers.tidy import DENIAL, first_sentence, is_question, tidy, without_filler


@dataclass(frozen=True, slots=True)
class LabelVerifier:
    """Compares the declared class with the reference, without regard to case.

    A class is declared by its label or its name where the question lists its classes, and by the
    reference's own words where it does not.
    """

    @property
    def version(self) -> str:
        return "label/3"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        found = extract(response, finish_reason, partial(_read, observation.choices), _same)
        return found.verdict(self.version, partial(_compare, observation))

    def declare(self, observation: Observation) -> str:
        labels = {choice.label for choice in observation.choices}
        return f" The answer is {f'({observation.answer})' if observation.answer in labels else observation.answer}."


def _read(choices: tuple[Choice, ...], declared: Declared) -> Parsed[str] | Unclear | None:
    written = declared.text + declared.following
    return read_option(choices, written) if choices else read_name(written)


def read_name(text: str) -> Parsed[str] | Unclear | None:
    name = without_filler(first_sentence(tidy(text))).strip("()[]\"' ")
    if name and is_question(text):
        return Unclear("the declared answer is a question")
    return Parsed(name, name) if name else None


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _compare(observation: Observation, value: str) -> tuple[Outcome, str]:
    choices, answer = observation.choices, observation.answer
    known = read_option(choices, answer) if choices else read_name(answer)
    if not isinstance(known, Parsed):
        return Outcome.UNDECIDED, f"the reference {answer!r} is none of the classes"
    reference = known.value
    if _same(value, reference):
        return Outcome.RIGHT, "is the reference class"
    mentioned = f" {tidy(reference).casefold()} " in f" {value.casefold()} "
    if not choices and mentioned and not DENIAL.search(value):
        return Outcome.UNDECIDED, f"says more than the reference {reference}"
    return Outcome.WRONG, f"differs from the reference {reference}"
