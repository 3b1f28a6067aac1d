"""Ways to compute the scores of every row's next token: with the model's cache, or by reading whole texts again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from transformers import PreTrainedModel

from adastar_core.generators.cache import roomy_cache
from adastar_core.generators.noise import signed
from adastar_core.generators.prefix import ALIGNED, Prefix, Prefixes, is_shareable, shared_prefix


class Steps(Protocol):
    """The rows that are still being generated, one token per row and step.

    Each row has a place among the requests and a noise key, int64, [rows].
    """

    places: torch.Tensor
    streams: torch.Tensor

    def forward(self) -> torch.Tensor:
        """Return the logits of every row's next token, [rows, vocabulary]."""

    def append(self, chosen: torch.Tensor) -> None: ...

    def keep(self, rows: torch.Tensor) -> None: ...


@dataclass(frozen=True, slots=True)
class Start:
    """What steps begin with.

    Attributes:
        prompts: Token ids, of any lengths.
        streams: The rows' noise keys.
        room: New tokens that each row may get.
        prefixes: Those of the model that decodes.
    """

    prompts: list[list[int]]
    streams: list[int]
    room: int
    prefixes: Prefixes


class Way(Protocol):
    """How a model decodes."""

    def __call__(self, model: PreTrainedModel, start: Start) -> Steps: ...

    def width(self, model: PreTrainedModel, prompts: list[list[int]]) -> int:
        """Return the tokens that every prompt is padded to before its first step."""


class Cached:
    """Rows padded on the left that share a cache; each step reads one new token per row.

    Kernels sum in blocks of the padded width, and use another kernel for a single row. In 16-bit formats that changes
    responses, so the width is aligned and a single row is computed together with a copy of itself (``bench/rounding.py``).
    """

    def __init__(self, model: PreTrainedModel, start: Start) -> None:
        self._model, self._prefixes = model, start.prefixes
        self._read: Callable[..., Any] = model
        prompts, room = start.prompts, start.room
        every = prompts * 2 if len(prompts) == 1 and _in_16_bits(model) else prompts
        width = self.width(model, prompts)
        tokens = [[0] * (width - len(prompt)) + prompt for prompt in every]
        mask = [[0] * (width - len(prompt)) + [1] * (len(prompt) + room) for prompt in every]
        self._tokens = torch.tensor(tokens, device=model.device)
        self._mask = torch.tensor(mask, device=model.device)
        self._length = width
        self._positions = (self._mask[:, :width].cumsum(-1) - 1).clamp(min=0)
        self._cache = roomy_cache(model.config)
        self._shared = shared_prefix(prompts) if is_shareable(self._cache) else []
        self.places = torch.arange(len(prompts), device=model.device)
        self.streams = torch.tensor([signed(stream) for stream in start.streams], device=model.device)

    @staticmethod
    def width(model: PreTrainedModel, prompts: list[list[int]]) -> int:
        longest = max(map(len, prompts))
        return -(-longest // ALIGNED) * ALIGNED if _in_16_bits(model) else longest

    def forward(self) -> torch.Tensor:
        if self._shared:
            self._begin()
        output = self._read(
            input_ids=self._tokens,
            attention_mask=self._mask[:, : self._length],
            position_ids=self._positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[: len(self.places), -1]
        return logits

    def _begin(self) -> None:
        """Read what the prompts share, and leave the rest of the longest prompt, as many columns in every row, to be read.

        A shorter prompt has some of the shared tokens among these columns, and reads them again.
        """
        lengths = self._mask[:, : self._length].sum(-1)
        columns = self._length - int(lengths.max()) + len(self._shared)
        prefix = self._prefixes.of(self._model, self._shared)
        self._tokens, self._positions = self._tokens[:, columns:], self._positions[:, columns:]
        self._hold(prefix, self._length - lengths, columns)
        self._shared = []

    def _hold(self, prefix: Prefix, paddings: torch.Tensor, columns: int) -> None:
        """Make the prefix part of every row that was not read yet."""
        prefix.begin(self._cache, paddings, columns)

    def append(self, chosen: torch.Tensor) -> None:
        self._tokens = self._paired(chosen)[:, None]
        self._positions = self._positions[:, -1:] + 1
        self._length += 1

    def keep(self, rows: torch.Tensor) -> None:
        self.places, self.streams = self.places[rows], self.streams[rows]
        rows = self._paired(rows)
        self._tokens, self._mask = self._tokens[rows], self._mask[rows]
        self._positions = self._positions[rows]
        self._cache.reorder_cache(cast(torch.LongTensor, rows))

    def _paired(self, rows: torch.Tensor) -> torch.Tensor:
        """Repeat a single row in 16 bits."""
        return rows.repeat(2) if len(rows) == 1 and _in_16_bits(self._model) else rows


def _in_16_bits(model: PreTrainedModel) -> bool:
    return model.dtype.itemsize == 2


class Reread:
    """Rows padded on the right, read whole in every step.

    Nothing is kept between steps, and in a causal model the padding after a token cannot change its scores. So this is
    right whatever state a model keeps, but a step costs as much as the whole text so far.
    """

    def __init__(self, model: PreTrainedModel, start: Start) -> None:
        self._model = model
        prompts, room = start.prompts, start.room
        width = max(map(len, prompts)) + room
        tokens = [prompt + [0] * (width - len(prompt)) for prompt in prompts]
        self._tokens = torch.tensor(tokens, device=model.device)
        self._lengths = torch.tensor([len(prompt) for prompt in prompts], device=model.device)
        self.places = torch.arange(len(prompts), device=model.device)
        self.streams = torch.tensor([signed(stream) for stream in start.streams], device=model.device)

    @staticmethod
    def width(model: PreTrainedModel, prompts: list[list[int]]) -> int:  # noqa: ARG004
        return max(map(len, prompts))

    def forward(self) -> torch.Tensor:
        shortest, longest = (int(length) for length in self._lengths.aminmax())
        output = self._model(
            input_ids=self._tokens[:, :longest], use_cache=False, logits_to_keep=longest - shortest + 1
        )
        # Of the last tokens, or of all from a model that ignores ``logits_to_keep``.
        logits: torch.Tensor = output.logits
        before = longest - logits.shape[1]
        rows = torch.arange(len(logits), device=logits.device)
        return logits[rows, self._lengths - 1 - before]

    def append(self, chosen: torch.Tensor) -> None:
        self._tokens[torch.arange(len(chosen), device=chosen.device), self._lengths] = chosen
        self._lengths = self._lengths + 1

    def keep(self, rows: torch.Tensor) -> None:
        self._tokens, self._lengths = self._tokens[rows], self._lengths[rows]
        self.places, self.streams = self.places[rows], self.streams[rows]
