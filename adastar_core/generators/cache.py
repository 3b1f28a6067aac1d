"""A key-value cache that grows by many steps at a time."""

import torch
from transformers import DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens that buffers grow by."""


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # transformers' class hook
    """A layer's keys and values in buffers with room for more tokens.

    The parent class copies everything at every step; this one copies once in ``ROOM`` steps and returns views, which
    makes generation by a small model on a CPU about 1.5 times as fast.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the states of new tokens, [rows, heads, tokens, width], and return all states."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held = self.get_seq_length()
        length = held + key_states.shape[-2]
        if length > self._room:
            self._room = length + ROOM
            self._all_keys = self._grown(key_states, self.keys)
            self._all_values = self._grown(value_states, self.values)
        self._all_keys[:, :, held:length] = key_states
        self._all_values[:, :, held:length] = value_states
        self.keys, self.values = self._all_keys[:, :, :length], self._all_values[:, :, :length]
        return self.keys, self.values

    def states_of_first(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the first row's keys and values, [heads, tokens, width]."""
        assert self.keys is not None, "a model has read something"
        assert self.values is not None
        return self.keys[0], self.values[0]

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        super().reorder_cache(beam_idx)
        self._room = 0

    def _grown(self, like: torch.Tensor, old: torch.Tensor | None) -> torch.Tensor:
        rows, heads, _, width = like.shape
        buffer = like.new_empty(rows, heads, self._room, width)
        if old is not None and old.numel():
            buffer[:, :, : old.shape[-2]] = old
        return buffer


def room_for(prompt: int, generated: int) -> int:
    """Return the tokens that buffers have room for, once so many were generated after a prompt; the last one is not held."""
    room = prompt + ROOM
    while room < prompt + generated - 1:
        room += 1 + ROOM
    return room


def roomy_cache(config: PreTrainedConfig) -> DynamicCache:
    """Return a cache for a model: roomy where its layers attend to everything, transformers' own elsewhere."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
