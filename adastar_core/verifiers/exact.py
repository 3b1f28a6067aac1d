"""The verifier of answers that must be spelt as the reference is."""

from dataclasses import dataclass

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.patterns import Answer, extract
from adastar_core.verifiers.tidy import tidy


@dataclass(frozen=True, slots=True)
class ExactVerifier:
    """Compares the declared text with the reference, character by character.

    Only markup and quotes around it, repeated white space and a closing full stop do not count.
    """

    @property
    def version(self) -> str:
        """Name and version."""
        return "exact/2"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        """Return the verdict on one response. Never raises for any response text."""
        found = extract(response, finish_reason, _read, str.__eq__)
        if found.answer is None:
            return found.unsettled(self.version)
        reference = tidy(observation.answer)
        if not reference:
            return Verdict(
                Outcome.UNDECIDED, found.text, found.found_by, "the reference is empty", self.version
            )
        right = found.answer.value == reference
        reason = "is the reference" if right else f"differs from the reference {reference}"
        return Verdict(
            Outcome.RIGHT if right else Outcome.WRONG, found.text, found.found_by, reason, self.version
        )

    def declare(self, observation: Observation) -> str:
        return f"\nAnswer: {observation.answer}"


def _read(text: str) -> Answer[str] | None:
    tidied = tidy(text)
    return Answer(tidied, tidied) if tidied else None
