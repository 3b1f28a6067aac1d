"""Whether a model keeps the texts of a micro-batch apart. Tested on the model: a leak would only show in its answers."""

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedModel

from adastar_core.errors import ModelError
from adastar_core.models import scores
from adastar_core.trainers.batches import collate, collate_packed
from adastar_core.trainers.rows import TrainingRow, pack

Arrange = Callable[[Sequence[TrainingRow], int], dict[str, torch.Tensor]]
_LENGTHS = (9, 4, 5)
"""Tokens of the texts; the second and the third fit into one row."""
_CHANGED = 4
_FIXES: dict[Arrange, str] = {
    collate: "set trainer.micro_batch_size: 1, which needs no padding",
    collate_packed: "set trainer.batching: padded or length_grouped",
}
_known: set[tuple[str, Arrange]] = set()


def require_apart(model: PreTrainedModel, arrange: Arrange) -> None:
    """Compare the scores of texts that share a micro-batch with those of each text alone.

    Done once per architecture and process, in float32; the model's training mode is left as it was.

    Raises:
        ModelError: They differ: the model lets one text see another, or the padding.
    """
    key = (model.config.to_json_string(use_diff=False), arrange)
    if key in _known:
        return
    training = model.training
    model.train(mode=False)
    try:
        with torch.no_grad(), scores.audible(model):
            fault, certain = _fault(model, arrange)
    except scores.FAULTS as error:
        fault, certain = f"fails on them ({type(error).__name__}: {error})", True
    model.train(training)
    if fault is not None:
        shape = "packed" if arrange is collate_packed else "padded"
        raise ModelError(
            f"model: {type(model).__name__} does not keep {shape} texts apart: it {fault}; {_FIXES[arrange]}"
        )
    if certain:
        _known.add(key)


def _fault(model: PreTrainedModel, arrange: Arrange) -> tuple[str | None, bool]:
    """Return what is wrong, and whether the weights could show it. Padding comes after a text, so no token may see it."""
    *texts, instead = scores.random_texts(model, [*_LENGTHS, _CHANGED])
    effect = scores.text_effect(model, texts[0], instead)
    if effect is None:
        blind = "has scores that hardly depend on the text, so nothing could be seen"
        return blind if arrange is collate_packed else None, False
    rows = [TrainingRow(tuple(text), 1) for text in texts]
    inputs = {name: part.to(model.device) for name, part in arrange(rows, 0).items() if name != "labels"}
    logits = model(**inputs, use_cache=False).logits
    furthest = 0.0
    for place, together in enumerate(pack(rows) if arrange is collate_packed else [[row] for row in rows]):
        start = 0
        for row in together:
            end, alone = start + len(row.tokens), scores.plain_scores(model, row.tokens)
            gap = scores.distance(logits[place, start:end], alone).max().item()
            furthest, start = max(furthest, gap), end
    off = f"gives scores that are off by {furthest / effect:.2g} of what the text before a token does to them"
    return None if furthest <= scores.EXACT * effect else off, True
