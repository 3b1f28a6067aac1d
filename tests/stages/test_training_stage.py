"""What the training stage hands to the trainer, on a real run."""

from pathlib import Path

from sqlalchemy import Engine

from adastar_core.stages.finetune import read_examples
from adastar_core.stages.opening import open_workspace
from adastar_core.trainers.optimizer import Schedule
from adastar_core.trainers.sft import finetune
from tests.support.runs import run_iteration, small_config


def test_a_schedule_across_the_run_counts_the_steps_of_earlier_iterations(
    database: Engine, tmp_path: Path
) -> None:
    choices = ("trainer.schedule_scope=run", "trainer.warmup_steps=4", "trainer.decay=linear", "iterations=3")
    with open_workspace(small_config(database, tmp_path, *choices), "run") as workspace:
        for iteration in (1, 2):
            run_iteration(workspace, iteration)
        first, second = workspace.checkpoint(1), workspace.checkpoint(2)
        assert first.training is not None
        by_hand = finetune(
            Path(first.path),
            read_examples(workspace, 2),
            workspace.config.trainer,
            planned_steps=workspace.config.steps(2),
            seed=0,
            iteration=2,
            output=tmp_path / "by-hand",
            work=tmp_path / "work",
            schedule=Schedule(first.training.steps, 3 + 3 + 5),
        )
        assert workspace.config.schedule_steps() == 3 + 3 + 5
        assert by_hand.checkpoint.sha256 == second.sha256
