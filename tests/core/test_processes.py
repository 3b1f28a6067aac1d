"""Training in two real processes over gloo: the same losses, an ordinary checkpoint, and nothing left after a kill."""

import os
import signal
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from adastar_core.config import TrainerSettings
from adastar_core.errors import StageError
from adastar_core.models.source import check_model
from adastar_core.trainers import TrainingOutcome, TrainingProgress
from adastar_core.trainers.rows import TrainingPlan, TrainingRow
from adastar_core.trainers.sft import finetune
from tests.core.test_sft import EXAMPLES
from tests.support.tiny_llama import write_tiny_llama

SETTINGS = TrainerSettings(
    learning_rate=1e-3, batch_size=4, save_every=2, gradient_checkpointing=True, timeout_seconds=30
)


def _finetune(
    base: Path, directory: Path, processes: int, watch: object = lambda _: None
) -> tuple[TrainingOutcome, list[TrainingProgress]]:
    seen: list[TrainingProgress] = []

    def progress(line: TrainingProgress) -> None:
        seen.append(line)
        watch(line)  # type: ignore[operator]

    settings = SETTINGS.model_copy(update={"processes": processes})
    outcome = finetune(
        base, EXAMPLES[:18], settings, planned_steps=5, seed=0, iteration=1,
        output=directory / "checkpoint", work=directory / "work", progress=progress,
    )  # fmt: skip
    return outcome, seen


def _workers() -> list[psutil.Process]:
    return [
        one
        for one in psutil.Process().children(recursive=True)
        if "trainers.worker" in " ".join(one.cmdline())
    ]


@pytest.mark.slow
def test_two_processes_train_as_one_and_survive_a_killed_rank(tmp_path: Path) -> None:
    """The last step has two rows of four, so that uneven shares are covered too."""
    base = write_tiny_llama(tmp_path / "base")
    alone, alone_seen = _finetune(base, tmp_path / "alone", 1)
    together = tmp_path / "together"
    before: list[psutil.Process] = []

    def kill_a_rank(line: TrainingProgress) -> None:
        if line.step == 3:
            before.extend(_workers())
            ranks = [one for one in before if "launch" not in one.cmdline()]
            assert len(ranks) == 2
            os.kill(ranks[-1].pid, signal.SIGKILL)

    with pytest.raises(
        StageError, match=r"2 processes ended with status 1.*resume from the last restart point"
    ):
        _finetune(base, together, 2, kill_a_rank)
    assert len(before) == 3
    assert not [one for one in before if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert not (together / "checkpoint").exists()

    outcome, seen = _finetune(base, together, 2)
    assert [line.step for line in seen] == [3, 4, 5], "it resumes from the last complete restart point"
    assert [line.learning_rate for line in seen] == [line.learning_rate for line in alone_seen[2:]]
    assert [line.loss for line in seen] == pytest.approx([line.loss for line in alone_seen[2:]], abs=1e-5)
    assert (outcome.steps, outcome.train_tokens) == (alone.steps, alone.train_tokens)
    assert outcome.loss == pytest.approx(alone.loss, abs=1e-5)
    assert outcome.token_accuracy == alone.token_accuracy
    path = check_model(outcome.checkpoint.path)
    assert {one.name for one in path.iterdir()} == {one.name for one in alone.checkpoint.path.iterdir()}
    start, mine = load_file(base / "model.safetensors"), load_file(path / "model.safetensors")
    for name, weight in load_file(alone.checkpoint.path / "model.safetensors").items():
        moved = (weight - start[name]).abs().max()
        assert (weight - mine[name]).abs().max() < 0.05 * moved, name
    assert AutoModelForCausalLM.from_pretrained(path)(torch.tensor([[5, 6, 7]])).logits.isfinite().all()
    assert {one.name.split("-")[0] for one in (together / "work").iterdir()} == {"outcome"}


@pytest.mark.parametrize(("rows", "processes", "size"), [(4, 2, 2), (5, 2, 1), (1, 3, 2), (7, 3, 2)])
def test_every_process_does_as_many_micro_batches_and_every_row_is_done_once(
    rows: int, processes: int, size: int
) -> None:
    every = tuple(TrainingRow((place, place), 1) for place in range(rows))
    plan = TrainingPlan(every, batch_size=8, micro_batch_size=size, processes=processes)
    shares = [plan.micro_batches(0, rank) for rank in range(processes)]
    assert len({len(share) for share in shares}) == 1
    assert sorted(row.tokens for share in shares for micro in share for row in micro) == [
        row.tokens for row in every
    ]
    assert all(len(micro) <= size for share in shares for micro in share)
