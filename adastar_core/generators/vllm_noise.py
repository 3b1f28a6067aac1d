"""This project's random streams inside vLLM. Loaded by the engine's process alone; nothing else imports vLLM.

vLLM decodes greedily from scores among which this processor has already chosen, with the noise that
:mod:`adastar_core.generators.noise` computes from (stream, step, token). So both engines sample the same rationales, up to
rounding (``docs/exactness.md``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from vllm.config import VllmConfig
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from adastar_core.generators import Decoding
from adastar_core.generators.noise import choose, signed


@dataclass(frozen=True, slots=True)
class _Row:
    stream: int
    decoding: Decoding
    output: Sequence[int]
    """The engine's own list, which grows with every token."""


class StreamNoise(LogitsProcessor):
    """Leaves one possible token to every row that has a stream; other rows are not touched."""

    def __init__(self, config: VllmConfig, device: torch.device, pinned: bool) -> None:  # noqa: ARG002 (vLLM's signature)
        self._device = device
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow the rows that vLLM removed, added and moved, in this order."""
        if batch_update is None:
            return
        for index in batch_update.removed:
            self._rows.pop(index, None)
        for index, params, _, output in batch_update.added:
            self._rows.pop(index, None)
            given = (params.extra_args or {}).get("adastar")
            if given is not None:
                stream, temperature, top_p = given
                decoding = Decoding(False, temperature, top_p, max_new_tokens=0)
                self._rows[index] = _Row(signed(int(stream)), decoding, output)
        for origin, target, direction in batch_update.moved:
            moved, replaced = self._rows.pop(origin, None), self._rows.pop(target, None)
            self._put(target, moved)
            if direction is MoveDirectionality.SWAP:
                self._put(origin, replaced)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Set every score of a row with a stream to minus infinity but that of its next token."""
        by_decoding: dict[Decoding, list[int]] = {}
        for index, row in self._rows.items():
            by_decoding.setdefault(row.decoding, []).append(index)
        for decoding, indices in by_decoding.items():
            rows = [self._rows[index] for index in indices]
            places = self._tensor(indices)
            streams = self._tensor([row.stream for row in rows])
            steps = self._tensor([len(row.output) for row in rows])
            chosen = choose(logits[places], streams, steps, decoding)
            logits[places] = -torch.inf
            logits[places, chosen] = 0.0
        return logits

    def _put(self, index: int, row: _Row | None) -> None:
        self._rows.pop(index, None)
        if row is not None:
            self._rows[index] = row

    def _tensor(self, values: list[int]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self._device)
