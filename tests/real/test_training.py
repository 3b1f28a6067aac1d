"""Training a real model in two processes, and in packed batches: the losses of one process and of padded ones."""

from pathlib import Path

import pytest

from adastar_core.config import TrainerSettings
from adastar_core.trainers import TrainingExample, TrainingProgress
from adastar_core.trainers.sft import finetune

EXAMPLES = tuple(
    TrainingExample(f"Q: What is {a} + {b}?\nA:", f" {a} + {b} = {a + b}.\n#### {a + b}", f"sum {a} {b}")
    for a in range(2)
    for b in range(4)
)
PLAIN = TrainerSettings(learning_rate=1e-5, batch_size=4, dtype="float32")


def losses(model: Path, folder: Path, **changed: object) -> list[float]:
    seen: list[TrainingProgress] = []
    finetune(
        model, EXAMPLES, PLAIN.model_copy(update=changed), planned_steps=2, seed=0, iteration=1,
        output=folder / "checkpoint", work=folder / "work", progress=seen.append,
    )  # fmt: skip
    return [line.loss for line in seen]


def test_two_processes_and_packed_batches_have_the_losses_of_one_and_of_padded_ones(
    smollm: Path, tmp_path: Path
) -> None:
    alone = losses(smollm, tmp_path / "alone")
    assert len(alone) == 2
    assert alone[1] < alone[0] < 3, "a model of English finds sums likely, and learns their form at once"
    assert losses(smollm, tmp_path / "two", processes=2) == pytest.approx(alone, abs=1e-4)
    assert losses(smollm, tmp_path / "packed", batching="packed") == pytest.approx(alone, abs=1e-4)
