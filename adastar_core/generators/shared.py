"""Attention to what all rows begin with, computed for all of them at once instead of over a copy in each row.

The keys and values of the shared tokens are kept once. Each row attends to these and to its own tokens apart; the two results
are weighted by the sums of their exponentials, which gives what one softmax over all tokens would give. A step of 16 rows
then reads the shared tokens once, not 16 times. ``serving.py`` finds out whether a model can be decoded in this way.
"""

from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

from adastar_core.generators.cache import roomy_cache
from adastar_core.generators.prefix import Prefix, is_shareable
from adastar_core.generators.steps import Cached

_NAME = "shared_prefix"
_HARMLESS = frozenset(
    {"dropout", "position_ids", "use_cache", "is_causal", "output_attentions", "output_router_logits"}
)
"""Arguments that models give to attention and that change nothing here; no row is trained."""
_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
States = tuple[torch.Tensor, torch.Tensor]


def can_share(model: PreTrainedModel) -> bool:
    """Return whether all layers keep all tokens and attend by a function that can be replaced, on a CPU."""
    standard = model.config.get_text_config()._attn_implementation == "sdpa"
    return standard and model.device.type == "cpu" and is_shareable(roomy_cache(model.config))


class Shared(Cached):
    """Keeps what the prompts share once; each row's cache, padded on the left, begins after it.

    Fewer than ``fewest`` tokens are copied: attending twice takes longer than it saves (docs/performance.md).
    """

    fewest: ClassVar[int] = 64

    def _hold(self, prefix: Prefix, paddings: torch.Tensor, columns: int) -> None:
        shared = len(prefix.tokens)
        if shared < self.fewest:
            super()._hold(prefix, paddings, columns)
            return
        if columns > shared:  # padding of all rows
            super()._hold(prefix, paddings, columns - shared)
        self._length -= shared
        self._mask = self._mask[:, :-shared]  # every row ends with its own tokens
        self._read = _Reader(self._model, prefix.states)


class _Reader:
    """Calls a model whose layers attend to a prefix, too."""

    def __init__(self, model: PreTrainedModel, states: Sequence[States]) -> None:
        self._model, self._config, self._states = model, model.config.get_text_config(), states

    def __call__(self, **inputs: object) -> object:
        unread = dict(enumerate(self._states))
        usual = self._config._attn_implementation
        self._config._attn_implementation = _NAME
        try:
            output: object = self._model(**inputs, unread=unread)
        finally:
            self._config._attn_implementation = usual
        if unread:
            raise ValueError(f"layers {sorted(unread)} have not attended to what the prompts share")
        return output


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    unread: dict[int, States],
    scaling: float | None = None,
    **others: object,
) -> tuple[torch.Tensor, None]:
    """Attend to a layer's part of ``unread``, each [heads, tokens, width], and by the mask to the row's own tokens.

    Query heads that share a key head, and for the prefix the rows too, are further queries to the same keys.
    """
    if strange := [name for name, value in others.items() if value is not None and name not in _HARMLESS]:
        raise ValueError(f"attention with {strange} is more than a softmax")
    keys, values = unread.pop(cast(int, module.layer_idx))
    rows, heads, tokens, width = query.shape
    grouped = query.reshape(rows, len(keys), -1, width)
    together = grouped.transpose(0, 1).reshape(1, len(keys), -1, width)
    bias = attention_mask if tokens == 1 else attention_mask.repeat(1, 1, heads // len(keys), 1)
    own, own_sums = _flash(grouped, key, value, attn_mask=bias, scale=scaling)
    shared, sums = _flash(together, keys[None], values[None], scale=scaling)
    shared, sums = (part.unflatten(2, (rows, -1))[0].transpose(0, 1) for part in (shared, sums))
    weights = torch.sigmoid(sums - own_sums)[..., None]
    merged = torch.lerp(own.to(weights.dtype), shared.to(weights.dtype), weights).to(query.dtype)
    return merged.reshape(query.shape).transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, attend)
AttentionMaskInterface.register(_NAME, eager_mask)  # numbers to add, never left out
