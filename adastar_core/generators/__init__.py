"""Generators: sample attempts from a checkpoint, one random stream per attempt."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from adastar_core.records import Attempt, FinishReason, GenerationRequest, Incident


@dataclass(frozen=True, slots=True)
class Weights:
    """A checkpoint to generate from: its directory, and the recorded digest of its files."""

    model_dir: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Decoding:
    """How text is decoded; always explicit, never left to a checkpoint's defaults.

    Greedy decoding takes the most likely token and uses neither ``temperature``, > 0, which divides the
    scores, nor ``top_p``, in (0, 1]: the smallest set of tokens with this probability is sampled from. A
    response ends before a ``stop`` string, and after an ``answer`` of this kind that it has finished declaring
    (:mod:`adastar_core.verifiers.finished`).
    """

    greedy: bool
    temperature: float
    top_p: float
    max_new_tokens: int
    stop: tuple[str, ...] = ()
    answer: str = ""

    def decisive(self) -> dict[str, object]:
        """Return the fields that decide a response; one that came later and has no effect is left out, so digests stay."""
        return {name: value for name, value in asdict(self).items() if name != "answer" or value}

    def ends(self, text: str) -> int | None:
        """Return where a response ends in a text, if it does; more text changes nothing about it."""
        places = [place for place in (text.find(string) for string in self.stop) if place >= 0]
        if self.answer:
            from adastar_core.verifiers.finished import finished

            place = finished(text, self.answer)
            places += [] if place is None else [place]
        return min(places, default=None)

    def room(self, prompt_tokens: int, positions: int | None) -> int:
        """Return how many tokens may follow a prompt: the longest allowed, or fewer where the model's positions end."""
        longest = self.max_new_tokens
        return longest if positions is None else min(longest, positions - prompt_tokens)


def attempt_of(
    request: GenerationRequest,
    response: str,
    finish_reason: FinishReason = FinishReason.EOS,
    *,
    prompt_tokens: int = 0,
    padded_prompt_tokens: int | None = None,
    generated_tokens: int = 0,
    padded_generated_tokens: int | None = None,
    tokens: tuple[int, ...] = (),
    greedy: bool = False,
) -> Attempt:
    """Return the attempt that answers a request; see :class:`~adastar_core.records.Attempt` for the fields.

    What is padded counts as much as what is not, by default; no random stream entered a greedy response.
    """
    return Attempt(
        position=request.position,
        attempt=request.attempt,
        hinted=request.hinted,
        response=response,
        finish_reason=finish_reason,
        prompt_tokens=prompt_tokens,
        padded_prompt_tokens=prompt_tokens if padded_prompt_tokens is None else padded_prompt_tokens,
        generated_tokens=generated_tokens,
        padded_generated_tokens=generated_tokens
        if padded_generated_tokens is None
        else padded_generated_tokens,
        stream=0 if greedy else request.stream,
        tokens=tokens,
    )


OnIncident = Callable[[Incident], None]
"""Called with everything that went wrong during generation and was recovered."""


class Generator(Protocol):
    """Samples attempts from one checkpoint."""

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return one attempt per request, in order, run as a single batch.

        Nothing but prompt, stream and checkpoint enters the response to a request. Rounding depends on the batch all the
        same: ``docs/exactness.md`` says in which precision the same request in another batch gives the same response.
        """

    def close(self) -> None:
        """Free the model's memory. The generator is unusable afterwards."""


@runtime_checkable
class LastingGenerator(Generator, Protocol):
    """A generator that takes one checkpoint after the other, and rests while a model is trained."""

    @property
    def weights_sha256(self) -> str | None:
        """Return the digest of the checkpoint whose weights it has proved to hold; ``None`` before the first."""

    def hand_over(self, model_dir: Path, sha256: str) -> None:
        """Generate from this checkpoint from now on, after proving to hold its weights.

        Raises:
            EngineError: It cannot.
        """

    def rest(self) -> None:
        """Free the memory that training needs; the next call of ``generate`` or ``hand_over`` takes it again."""
