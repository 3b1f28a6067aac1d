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
_CANDIDATES = 1024
"""Likeliest tokens among which the nucleus is looked for first: sorting a whole vocabulary costs as much as a model's step."""
_CELLS = 2**16
"""Cells of noise that are computed at a time on a CPU, so that they stay in its cache."""


def choose(logits: Tensor, streams: Tensor, step: int | Tensor, decoding: Decoding) -> Tensor:
    """Return the next token of every row, int64, [rows]: the largest of :func:`noisy_scores`, found with less work."""
    if decoding.greedy or decoding.top_p == 1:
        return noisy_scores(logits, streams, step, decoding).argmax(-1)
    scores = logits.to(torch.float64) / decoding.temperature
    chosen, whole = _among_candidates(scores, streams, step, decoding.top_p)
    for row in (~whole).nonzero().flatten().tolist():
        one = slice(row, row + 1)
        at = step[one] if isinstance(step, Tensor) else step
        chosen[one] = noisy_scores(logits[one], streams[one], at, decoding).argmax(-1)
    return chosen


def _among_candidates(
    scores: Tensor, streams: Tensor, step: int | Tensor, top_p: float
) -> tuple[Tensor, Tensor]:
    """Return each row's choice among its likeliest tokens, and whether they hold its whole nucleus.

    They do if the nucleus ends before the last of them: what is left out is no likelier than that one. Equally likely
    tokens come in the order of their ids, as in :func:`mass_before`.
    """
    probabilities = torch.softmax(scores, dim=-1)
    tokens = probabilities.topk(min(_CANDIDATES, scores.shape[-1])).indices.sort(-1).values
    likely, order = probabilities.gather(-1, tokens).sort(dim=-1, descending=True, stable=True)
    tokens = tokens.gather(-1, order)
    inside = likely.cumsum(-1) - likely < top_p
    whole = ~(inside & (likely == likely[:, -1:])).any(-1)
    noisy = scores.gather(-1, tokens) + gumbel_of(tokens, streams, step)
    best = noisy.masked_fill(~inside, -torch.inf).argmax(-1, keepdim=True)
    return tokens.gather(-1, best).squeeze(-1), whole | (tokens.shape[-1] == scores.shape[-1])


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
    tokens = torch.arange(vocabulary, device=streams.device)
    if streams.device.type != "cpu":
        return gumbel_of(tokens, streams, step)
    noise = torch.empty(len(streams), vocabulary, dtype=torch.float64)
    count = max(1, _CELLS // vocabulary)
    for start in range(0, len(streams), count):
        rows = slice(start, start + count)
        at = step[rows] if isinstance(step, Tensor) else step
        noise[rows] = gumbel_of(tokens, streams[rows], at)
    return noise


def gumbel_of(tokens: Tensor, streams: Tensor, step: int | Tensor) -> Tensor:
    """Return the noise of some tokens: int64, [tokens] for every row or [rows, tokens]; see :func:`gumbel`."""
    # Python's integers do not wrap as a tensor's do.
    counter = (step + 1) * _GOLDEN if isinstance(step, Tensor) else signed((step + 1) * _GOLDEN % (1 << 64))
    rows = _mix(_mix(streams) + counter)
    return uniform(rows[:, None] + (tokens + 1) * _GOLDEN).log_().neg_().log_().neg_()


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
