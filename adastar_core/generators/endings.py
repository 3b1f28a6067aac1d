"""Where a response ends: at an end token, a stop string, a finished answer, a special token, or the longest length. Pure functions of its tokens."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adastar_core.generators import Decoding, attempt_of
from adastar_core.models.vocabulary import Ends
from adastar_core.records import Attempt, FinishReason, GenerationRequest

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True)
class Ending:
    """A finished response: the text before its end.

    Attributes:
        generated_tokens: Tokens up to the end, with the end token or the one that completed the stop string or the answer.
        tokens: Ids that the response was decoded from, and the end token if there is one. A token that holds both the
            response's last characters and a stop string's first ones is among them.
    """

    response: str
    finish_reason: FinishReason
    generated_tokens: int
    tokens: tuple[int, ...]

    def attempt(
        self,
        request: GenerationRequest,
        decoding: Decoding,
        prompt_tokens: int,
        padded_prompt_tokens: int | None = None,
        padded_generated_tokens: int | None = None,
    ) -> Attempt:
        return attempt_of(
            request,
            self.response,
            self.finish_reason,
            prompt_tokens=prompt_tokens,
            padded_prompt_tokens=padded_prompt_tokens,
            generated_tokens=self.generated_tokens,
            padded_generated_tokens=padded_generated_tokens,
            tokens=self.tokens,
            greedy=decoding.greedy,
        )


def end(tokens: Sequence[int], ends: Ends, decoding: Decoding, decode: Decode) -> Ending:
    """Return where ``tokens`` end; whatever was generated after that is ignored.

    Without an end among them, they must be as many as were allowed.
    """
    count = ends.first(tokens)
    kept = tuple(tokens[:count])
    text = decode(kept)
    if decoding.ends(text) is not None:
        needed = _fewest(kept, lambda some: decoding.ends(decode(some)) is not None)
        # Decode again instead of slicing: some decoders turn the same bytes into other text when more follow.
        text = decode(kept[:needed])
        response = text[: decoding.ends(text)]
        spelling = _fewest(kept[:needed], lambda some: decode(some).startswith(response))
        return Ending(response, FinishReason.STOP, needed, kept[:spelling])
    if count == len(tokens):
        return Ending(text, FinishReason.LENGTH, count, kept)
    if tokens[count] in ends.ends:
        return Ending(text, FinishReason.EOS, count + 1, (*kept, tokens[count]))
    return Ending(text, FinishReason.SPECIAL, count + 1, kept)


def end_elsewhere(
    tokens: Sequence[int], ends: Ends, decoding: Decoding, decode: Decode, *, longest: int
) -> Ending:
    """Return where tokens end that came from an engine which looks for stop strings itself.

    It decodes token by token and may see a stop string that the whole text does not contain. So a response that is shorter
    than ``longest`` and has no end was stopped.
    """
    ending = end(tokens, ends, decoding, decode)
    early = ending.finish_reason is FinishReason.LENGTH and len(tokens) < longest
    return replace(ending, finish_reason=FinishReason.STOP) if early else ending


def _fewest(tokens: tuple[int, ...], enough: Callable[[tuple[int, ...]], bool]) -> int:
    """Return how many of the first tokens are enough; all of them if fewer never are."""
    return bisect_left(range(len(tokens)), True, key=lambda count: enough(tokens[:count]))
