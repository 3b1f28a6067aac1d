"""Chooses each token: temperature, top-p, and Gumbel noise that is a pure function of (stream, step, token).

Adding Gumbel noise to log-probabilities and taking the largest samples from the distribution. With noise that is
computed from a counter, not drawn from a state, a row's samples depend neither on the other rows nor on their
order. The counter is hashed by the finalizer of SplitMix64 (Steele, Lea and Flood, 2014) in wrapping 64-bit
integers, which are the same on every device; the two logarithms are float64 and agree to their last bit or two.
"""

import torch
from torch import Tensor

from adastar_core.generators import Decoding

_GOLDEN = -0x61C8864680B583EB
_FIRST = -0x40A7B892E31B1A47
_SECOND = -0x6B2FB644ECCEEE15
_DISCARDED_BITS = 12
_UNIT = 2.0**-52


def noisy_scores(logits: Tensor, streams: Tensor, step: int | Tensor, decoding: Decoding) -> Tensor:
    """Return the scores whose largest is the next token.

    Greedy decoding keeps the logits. Sampling divides them by the temperature, drops the tokens outside of
    the nucleus (top-p) and adds each row's own noise (:func:`gumbel`), which makes the largest a sample.

    Returns:
        float64, shaped as the logits, [rows, vocabulary]; minus infinity for tokens outside of the nucleus.
    """
    scores = logits.to(torch.float64)
    if decoding.greedy:
        return scores
    scores = scores / decoding.temperature
    if decoding.top_p < 1:
        mass, place = mass_before(scores)
        scores = scores.masked_fill((mass >= decoding.top_p).gather(-1, place), -torch.inf)
    return scores + gumbel(streams, step, scores.shape[-1])


def mass_before(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return the probability of all likelier tokens, likeliest token first, and each token's place in that order.

    A token belongs to the nucleus when the tokens before it have less than top-p. The likeliest always does.
    """
    probabilities, order = torch.softmax(scores, dim=-1).sort(dim=-1, descending=True, stable=True)
    return probabilities.cumsum(-1) - probabilities, order.argsort(-1)


def gumbel(streams: Tensor, step: int | Tensor, vocabulary: int) -> Tensor:
    """Return standard Gumbel noise for every row and token: float64, [rows, vocabulary], from -3.6 to 36.8.

    Args:
        streams: One key per row, int64, [rows] (:func:`signed`).
        step: Number of the generated token, from 0, without the prompt: one for all rows, or int64, [rows].
        vocabulary: How many token ids there are.
    """
    # Python's integers do not wrap as a tensor's do.
    counter = (step + 1) * _GOLDEN if isinstance(step, Tensor) else signed((step + 1) * _GOLDEN % (1 << 64))
    rows = _mix(_mix(streams) + counter)
    tokens = torch.arange(1, vocabulary + 1, device=streams.device) * _GOLDEN
    return -torch.log(-torch.log(uniform(rows[:, None] + tokens)))


def uniform(counters: Tensor) -> Tensor:
    """Return one float64 strictly between 0 and 1 for each int64 counter."""
    bits = _shift_right(_mix(counters), _DISCARDED_BITS)
    return (bits.to(torch.float64) + 0.5) * _UNIT


def signed(key: int) -> int:
    """Return an unsigned 64-bit stream key as the signed integer of the same bits, which torch can hold."""
    return key - (1 << 64) if key >= 1 << 63 else key


def _mix(values: Tensor) -> Tensor:
    values = (values ^ _shift_right(values, 30)) * _FIRST
    values = (values ^ _shift_right(values, 27)) * _SECOND
    return values ^ _shift_right(values, 31)


def _shift_right(values: Tensor, bits: int) -> Tensor:
    """Shift in zeros, where torch's own shift of a signed integer repeats the sign."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)
