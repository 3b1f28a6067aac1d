"""Verifiers: extract the answer from a response and compare it with the reference."""

from typing import Protocol

from adastar_core.records import FinishReason, Observation, Verdict


class Verifier(Protocol):
    """Judges responses. Pure: the same response always gets the same verdict."""

    @property
    def version(self) -> str:
        """Name and version, e.g. ``"number/1"``; changes whenever behaviour does."""
        ...

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        """Return the verdict on one response. Never raises for any response text."""
        ...
