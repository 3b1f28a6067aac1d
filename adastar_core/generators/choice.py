"""Which token comes next: pure functions from a model's logits to scores, one row per attempt."""

import torch
from torch import Tensor

from adastar_core.generators import Decoding
from adastar_core.generators.noise import gumbel


def noisy_scores(logits: Tensor, streams: Tensor, step: int | Tensor, decoding: Decoding) -> Tensor:
    """Return the scores whose largest is the next token.

    Greedy decoding keeps the logits. Sampling divides them by the temperature, drops the tokens outside of
    the nucleus (top-p) and adds each row's own Gumbel noise, which makes the largest a sample.

    Args:
        logits: [rows, vocabulary], any floating type.
        streams: int64 keys, [rows].
        step: Number of the generated token, from 0: one for all rows, or int64 of shape [rows].
        decoding: How to decode.

    Returns:
        float64, [rows, vocabulary]; minus infinity for tokens outside of the nucleus.
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


def tie_gap(logits: Tensor, streams: Tensor, step: int, decoding: Decoding) -> Tensor:
    """Return how near each row's choice was to another: float64, [rows].

    The gap between the two best scores; under top-p also the distance in probability from any token's mass to
    the border of the nucleus, if that is less.
    """
    best = noisy_scores(logits, streams, step, decoding).topk(2, dim=-1).values
    gap = best[:, 0] - best[:, 1]
    if decoding.greedy or decoding.top_p == 1:
        return gap
    mass, _ = mass_before(logits.to(torch.float64) / decoding.temperature)
    return torch.minimum(gap, (mass - decoding.top_p).abs().amin(-1))
