"""Where a response ends: at EOS, at a stop string, or at the longest length. Pure functions of its tokens."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adastar_core.records import FinishReason

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True)
class Ending:
    """A finished response.

    Attributes:
        response: The text before EOS or the stop string.
        finish_reason: Why it ended there.
        generated_tokens: Tokens up to the end, with EOS or the token that completed the stop string.
    """

    response: str
    finish_reason: FinishReason
    generated_tokens: int


def end(tokens: Sequence[int], eos: int, stop: tuple[str, ...], decode: Decode) -> Ending:
    """Return where ``tokens`` end; whatever was generated after that is ignored.

    Args:
        tokens: The generated tokens, as many as were allowed or up to EOS at least.
        eos: The token id of EOS.
        stop: Strings that end the response.
        decode: Turns tokens into text, without special tokens.
    """
    kept = tokens[: tokens.index(eos)] if eos in tokens else tokens
    text = decode(kept)
    stopped = first_stop(text, stop)
    if stopped is not None:
        needed = bisect_left(
            range(len(kept)), True, key=lambda count: first_stop(decode(kept[:count]), stop) is not None
        )
        return Ending(text[:stopped], FinishReason.STOP, needed)
    if eos in tokens:
        return Ending(text, FinishReason.EOS, len(kept) + 1)
    return Ending(text, FinishReason.LENGTH, len(kept))


def first_stop(text: str, stop: tuple[str, ...]) -> int | None:
    """Return where the earliest stop string begins in ``text``, if one is in it."""
    found = [place for place in (text.find(string) for string in stop) if place >= 0]
    return min(found, default=None)
