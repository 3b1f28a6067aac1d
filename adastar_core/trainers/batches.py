"""Micro-batches as tensors: padded, or packed with several texts to a row that do not see each other."""

from collections.abc import Sequence

import torch

from adastar_core.trainers.rows import TrainingRow, pack

IGNORED = -100
_NO_ROW = (TrainingRow((0, 0), 2),)
"""An untrained row, for a process that has none left in a step: all of them must run the model together."""


def collate(rows: Sequence[TrainingRow], padding: int) -> dict[str, torch.Tensor]:
    """Return a micro-batch padded on the right: ids, attention mask and labels, each of shape (rows, longest)."""
    rows = rows or _NO_ROW
    shape = (len(rows), max(len(row.tokens) for row in rows))
    ids, mask = torch.full(shape, padding), torch.zeros(shape, dtype=torch.int64)
    labels = torch.full(shape, IGNORED)
    for place, row in enumerate(rows):
        tokens = torch.tensor(row.tokens)
        ids[place, : len(tokens)] = tokens
        mask[place, : len(tokens)] = 1
        labels[place, row.prompt_tokens : len(tokens)] = tokens[row.prompt_tokens :]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def collate_packed(rows: Sequence[TrainingRow], padding: int) -> dict[str, torch.Tensor]:
    """Return a packed micro-batch: ids, position ids and labels, each of shape (packs, longest).

    Positions start at 0 with every text, and at every padding token, from which transformers, without an
    attention mask, knows that texts must not see each other. A text's first token is never trained.
    """
    packs = pack(rows or _NO_ROW)
    shape = (len(packs), max(sum(len(row.tokens) for row in pack_rows) for pack_rows in packs))
    ids, positions = torch.full(shape, padding), torch.zeros(shape, dtype=torch.int64)
    labels = torch.full(shape, IGNORED)
    for place, pack_rows in enumerate(packs):
        start = 0
        for row in pack_rows:
            end, prompt = start + len(row.tokens), max(row.prompt_tokens, 1)
            ids[place, start:end] = torch.tensor(row.tokens)
            positions[place, start:end] = torch.arange(len(row.tokens))
            labels[place, start + prompt : end] = torch.tensor(row.tokens[prompt:])
            start = end
    return {"input_ids": ids, "position_ids": positions, "labels": labels}
