"""Generators: sample attempts from a checkpoint, one random stream per attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adastar_core.records import Attempt, GenerationRequest


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is decoded; always explicit, never left to a checkpoint's defaults.

    Attributes:
        greedy: Take the most likely token; the other fields but the last two are then unused.
        temperature: Divides the scores, > 0.
        top_p: Keep the smallest set of tokens whose probability reaches this, in (0, 1].
        max_new_tokens: Upper bound of generated tokens.
        stop: Strings at which generation ends; they are cut from the response.
    """

    greedy: bool
    temperature: float
    top_p: float
    max_new_tokens: int
    stop: tuple[str, ...] = ()


class Generator(Protocol):
    """Samples attempts from one checkpoint."""

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return one attempt per request, in order, run as a single batch.

        The response to a request depends on its prompt, its stream and the checkpoint alone: the same
        request in another batch gives the same response.
        """
        ...

    def close(self) -> None:
        """Free the model's memory. The generator is unusable afterwards."""
        ...
