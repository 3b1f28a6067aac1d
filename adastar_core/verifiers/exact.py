"""The verifier of answers that must be spelt as the reference is."""

from dataclasses import dataclass
from functools import partial

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.declarations import Declared
from adastar_core.verifiers.extraction import Parsed, extract
from adastar_core.verifiers.tidy import tidy


@dataclass(frozen=True, slots=True)
class ExactVerifier:
    """Compares the declared text with the reference, character by character.

    Only markup and quotes around it, repeated white space and a closing full stop do not count.
    """

    @property
    def version(self) -> str:
        return "exact/2"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        found = extract(response, finish_reason, _read, str.__eq__)
        return found.verdict(self.version, partial(_compare, tidy(observation.answer)))

    def declare(self, observation: Observation) -> str:
        return f"\nAnswer: {observation.answer}"


def _compare(reference: str, value: str) -> tuple[Outcome, str]:
    if not reference:
        return Outcome.UNDECIDED, "the reference is empty"
    if value == reference:
        return Outcome.RIGHT, "is the reference"
    return Outcome.WRONG, f"differs from the reference {reference}"


def _read(declared: Declared) -> Parsed[str] | None:
    tidied = tidy(declared.text + declared.following)
    return Parsed(tidied, tidied) if tidied else None
