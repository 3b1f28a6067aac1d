"""The reference fake: responses from a script instead of a model, for tests of everything around generation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from adastar_core.generators import Decoding
from adastar_core.generators.endings import end
from adastar_core.models.vocabulary import Ends
from adastar_core.records import Attempt, GenerationRequest

Script = Callable[[GenerationRequest], str]
Table = Mapping[tuple[int, int], str]
_EOS = -1
_ENDS = Ends(frozenset({_EOS}), range(0x110000))


class ScriptedGenerator:
    """A :class:`~adastar_core.generators.Generator` whose responses are a pure function of the request.

    A character counts as a token, so that lengths, stop strings and costs behave as a model's do. No model has these tokens,
    so attempts come without ids.

    Attributes:
        batches: The requests of every call so far.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self.batches: list[tuple[GenerationRequest, ...]] = []

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        self.batches.append(tuple(requests))
        endings = []
        for request in requests:
            tokens = [*map(ord, self._script(request)), _EOS][: decoding.max_new_tokens]
            endings.append(end(tokens, _ENDS, decoding, lambda kept: "".join(map(chr, kept))))
        width = max((len(request.prompt) for request in requests), default=0)
        steps = max((ending.generated_tokens for ending in endings), default=0)
        return [
            replace(ending.attempt(request, decoding, len(request.prompt), width, steps), tokens=())
            for request, ending in zip(requests, endings, strict=True)
        ]

    def close(self) -> None: ...


def from_table(table: Table, otherwise: str = "") -> Script:
    """Return the script that looks up ``(position, attempt)`` and answers ``otherwise`` where there is nothing."""
    return lambda request: table.get((request.position, request.attempt), otherwise)
