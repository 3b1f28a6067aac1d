"""Verifiers: extract the answer from a response and compare it with the reference."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from adastar_core.records import FinishReason, Observation, Verdict

Response = tuple[Observation, str, FinishReason]


class Verifier(Protocol):
    """Judges responses. Pure: the same response always gets the same verdict."""

    @property
    def version(self) -> str:
        """Name and version, e.g. ``"number/1"``; changes whenever behaviour does."""
        ...

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        """Return the verdict on one response. Never raises for any response text."""
        ...

    def declare(self, observation: Observation) -> str:
        """Return how a response declares the reference answer, with the white space before it."""
        ...


@runtime_checkable
class Batching(Protocol):
    """A verifier that judges many responses faster than one by one."""

    def verify_all(self, responses: Sequence[Response]) -> list[Verdict]:
        """Return one verdict per response, in order."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A verifier that holds resources, such as processes. It may be used again after it was closed."""

    def close(self) -> None: ...
