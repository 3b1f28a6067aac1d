"""What all prompts of a batch begin with, such as worked examples: read once, and its keys and values copied to every row.

The copies lie where the tokens would have been, so positions, masks and windows are those of a batch that was read whole.
``shared.py`` keeps them once instead, where a model allows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from transformers import DynamicCache, PreTrainedModel

from adastar_core.generators.cache import RoomyLayer, roomy_cache

ALIGNED = 16
"""In 16 bits, prompts are padded to a multiple of this, so that kernels cut a row's sums into the same blocks in every batch."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """Tokens, and their keys and values in every layer, each [heads, tokens, width]."""

    tokens: Sequence[int]
    states: Sequence[tuple[torch.Tensor, torch.Tensor]]

    @classmethod
    def read(cls, model: PreTrainedModel, tokens: Sequence[int]) -> "Prefix":
        cache = roomy_cache(model.config)
        ids = torch.tensor([tokens], device=model.device)
        model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return cls(tokens, [layer.states_of_first() for layer in _roomy(cache)])

    def begin(self, cache: DynamicCache, paddings: torch.Tensor, columns: int) -> None:
        """Fill an empty cache's first columns with every row's padding, int64, [rows], and then its first tokens."""
        places = torch.arange(columns, device=paddings.device) - paddings[:, None]
        places = places.clamp(min=0)  # padding gets any numbers, since it is masked
        for layer, states in zip(_roomy(cache), self.states, strict=True):
            keys, values = (part[:, places].transpose(0, 1) for part in states)
            layer.update(keys, values)


class Prefixes:
    """Remembers the prefix that one model read last: consecutive batches mostly have the same."""

    def __init__(self) -> None:
        self._last: Prefix | None = None

    def of(self, model: PreTrainedModel, tokens: Sequence[int]) -> Prefix:
        # Only the very same: the first tokens of a longer one may be rounded otherwise, and a resumed run would not have it.
        if self._last is None or self._last.tokens != tokens:
            self._last = None  # two need not fit into memory
            self._last = Prefix.read(model, tokens)
        return self._last


def shared_prefix(prompts: Sequence[list[int]]) -> list[int]:
    """Return what prompts begin with, up to a multiple of ``ALIGNED``; every prompt keeps at least one token of its own."""
    if len(prompts) < 2:
        return []
    first, last = min(prompts), max(prompts)  # what these share, all between them do
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    length = min(common, min(map(len, prompts)) - 1)
    return first[: length - length % ALIGNED]


def is_shareable(cache: DynamicCache) -> bool:
    """Return whether every layer keeps the keys and values of all tokens, and nothing else."""
    return len(_roomy(cache)) == len(cache.layers)


def _roomy(cache: DynamicCache) -> list[RoomyLayer]:
    return [layer for layer in cache.layers if isinstance(layer, RoomyLayer)]
