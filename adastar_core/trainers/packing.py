"""Whether a model keeps packed texts apart. Found out on the model itself: a leak would only show in its answers."""

import torch
from transformers import PreTrainedModel

from adastar_core.errors import ModelError
from adastar_core.trainers.batches import collate, collate_packed
from adastar_core.trainers.rows import Row

_TOLERANCE = 1e-3
_LONG, _SHORT = 5, 2


def require_packing(model: PreTrainedModel) -> None:
    """Compare the scores of two texts in one row with those in rows of their own.

    Raises:
        ModelError: They differ: the model lets one text see the other.
    """
    tokens = tuple(1 + place % 7 for place in range(_LONG + 2 * _SHORT))
    first, second = Row(tokens[:_SHORT], 1), Row(tokens[_SHORT : 2 * _SHORT], 1)
    longest = Row(tokens[2 * _SHORT :], 1)
    packed = collate_packed([longest, first, second], padding=0)
    padded = collate([first, second], padding=0)
    was_training = model.training
    model.eval()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        together = model(
            input_ids=packed["input_ids"], position_ids=packed["position_ids"], use_cache=False
        ).logits
        apart = model(
            input_ids=padded["input_ids"], attention_mask=padded["attention_mask"], use_cache=False
        ).logits
    model.train(was_training)
    found = together[1, : 2 * _SHORT].reshape(apart.shape)
    if not torch.allclose(found, apart, atol=_TOLERANCE * float(apart.abs().max())):
        raise ModelError(
            f"model: {type(model).__name__} lets packed texts see each other; set trainer.batching: padded "
            "or length_grouped"
        )
