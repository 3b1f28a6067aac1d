"""The data's own answers in place of a model's rationales: what supervised fine-tuning trains on."""

from collections.abc import Callable, Sequence

from adastar_core.generators import Decoding, attempt_of
from adastar_core.records import Attempt, GenerationRequest


class ReferenceGenerator:
    """Costs nothing: ``answer`` gives the text for the observation at a position."""

    def __init__(self, answer: Callable[[int], str]) -> None:
        self._answer = answer

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:  # noqa: ARG002 (nothing is decoded)
        return [attempt_of(request, self._answer(request.position)) for request in requests]

    def close(self) -> None: ...
