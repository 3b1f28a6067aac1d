"""The data's own answers in place of a model's rationales: what supervised fine-tuning trains on."""

from collections.abc import Callable, Sequence

from adastar_core.generators import Decoding
from adastar_core.records import Attempt, FinishReason, GenerationRequest


class ReferenceGenerator:
    """A :class:`~adastar_core.generators.Generator` that costs nothing.

    Args:
        answer: The text for the observation at a position.
    """

    def __init__(self, answer: Callable[[int], str]) -> None:
        self._answer = answer

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:  # noqa: ARG002 (nothing is decoded)
        """Return each request's reference answer."""
        return [
            Attempt(
                position=one.position,
                attempt=one.attempt,
                hinted=one.hinted,
                response=self._answer(one.position),
                finish_reason=FinishReason.EOS,
                prompt_tokens=0,
                padded_prompt_tokens=0,
                generated_tokens=0,
                padded_generated_tokens=0,
                stream=one.stream,
            )
            for one in requests
        ]

    def close(self) -> None:
        """Do nothing: there is no model."""
