"""Whether two ways through a model give the same scores, measured by what the text before a token does to them.

A fault of padding, packing or caching lets a token see other text than its own, or less of it. So differences are
compared with those that another text makes. Small weights, such as first ones, would hide a fault in rounding; they are
made larger during the comparison.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from transformers import PreTrainedModel

from adastar_core.streams import rng

EXACT, ROUGH = 1e-3, 0.25
"""Largest share of the text's effect that rounding explains: in float32 and float64, and in 16-bit formats."""
_BLIND = 1e-4
"""Share of the scores' own spread below which the text's effect is too near to rounding."""
_COMPUTABLE = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
"""Number formats that can be multiplied; quantised weights are left as they are."""
_SAMPLED = 16
"""Rows of a matrix from which its size is estimated."""
FAULTS = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)
"""What a model raises when it is run in a way that it does not support."""


def tolerance(model: PreTrainedModel) -> float:
    """Return how far the scores of two ways to compute them may lie apart in the model's number format."""
    return EXACT if model.dtype in (torch.float32, torch.float64) else ROUGH


@contextmanager
def audible(model: PreTrainedModel) -> Iterator[None]:
    """Enlarge small weights inside the block, by powers of two, which can be undone exactly."""
    matrices = (weight for weight in model.parameters() if weight.ndim > 1 and weight.dtype in _COMPUTABLE)
    raised = {weight: factor for weight in matrices if (factor := _factor(weight)) > 1}
    with torch.no_grad():
        for weight, factor in raised.items():
            weight.mul_(factor)
        try:
            yield
        finally:
            for weight, factor in raised.items():
                weight.div_(factor)


def _factor(weight: torch.Tensor) -> int:
    """Return the power of two that brings a matrix nearest to keeping its input's size; at least 1."""
    sample = weight.detach()[:: max(len(weight) // _SAMPLED, 1)].double()
    gain = sample.square().mean().sqrt().item() * math.sqrt(weight.shape[-1])
    return 2 ** max(round(-math.log2(gain)), 0) if gain > 0 else 1


def random_texts(model: PreTrainedModel, lengths: Sequence[int]) -> list[list[int]]:
    """Return texts of these lengths: ids that are no special tokens, the same at every call."""
    values = model.config.to_dict() | model.config.get_text_config().to_dict()
    special = [value for name, value in values.items() if "token_i" in name and isinstance(value, int)]
    vocabulary = np.setdiff1d(np.arange(model.config.get_text_config().vocab_size), special)
    tokens = iter(rng(0, "self-check", len(vocabulary)).choice(vocabulary, sum(lengths)).tolist())
    return [[next(tokens) for _ in range(length)] for length in lengths]


def plain_scores(model: PreTrainedModel, text: Sequence[int]) -> torch.Tensor:
    """Return the logits after every token of one text, [tokens, vocabulary], the reference for all other ways."""
    tokens = torch.tensor([text], device=model.device)
    scores: torch.Tensor = model(input_ids=tokens, use_cache=False).logits[0]
    return scores


def distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the root mean squared difference over the last axis; a constant added to all logits does not count."""
    difference = (one - other).float()
    difference = difference - difference.mean(-1, keepdim=True)
    return difference.square().mean(-1).sqrt()


def text_effect(model: PreTrainedModel, text: Sequence[int], instead: Sequence[int]) -> float | None:
    """Return the change of a text's later scores when it begins with ``instead``; ``None`` if it is too small to see."""
    begun = len(instead)
    scores = plain_scores(model, text)[begun:]
    changed = plain_scores(model, [*instead, *text[begun:]])[begun:]
    effect = distance(scores, changed).square().mean().sqrt().item()
    spread = distance(scores, torch.zeros_like(scores)).square().mean().sqrt().item()
    return effect if effect > _BLIND * spread else None
