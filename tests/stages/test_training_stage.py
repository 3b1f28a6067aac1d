"""What the training stage hands to the trainer, on a real run."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.errors import LostLease
from adastar_core.models import checkpoints
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.stages.finetune import read_examples
from adastar_core.trainers.optimizer import Schedule
from adastar_core.trainers.restart import WorkDirectory
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


def sampled(workspace: Workspace) -> Path:
    """Sample the first iteration; return where its checkpoint is to lie."""
    wave = 0
    while not stages.sample(workspace, 1, wave).closed:
        stages.generate(workspace, 1, wave)
        stages.verify(workspace, 1, wave)
        wave += 1
    return workspace.folder / "checkpoints" / "iteration-0001"


def test_a_replaced_owner_publishes_no_checkpoint(database: Engine, tmp_path: Path) -> None:
    """Nor does it leave the outcome of its training, or touch what its successor is writing."""
    with open_workspace(small_config(database, tmp_path), "run") as workspace:
        published = sampled(workspace)
        with database.begin() as connection:  # what a successor does that found the run free
            connection.execute(text("UPDATE runs SET lease_epoch = lease_epoch + 1"))
        successors = published.with_name(f".{published.name}.partial-{workspace.lease.epoch + 1:06d}")
        scratch = workspace.folder / "work" / "finetune-0001" / f"trainer-{workspace.lease.epoch + 1:06d}"
        for folder in (successors, scratch):
            folder.mkdir(parents=True)
        with pytest.raises(LostLease):
            stages.finetune(workspace, 1)
        assert not published.exists()
        assert not list(workspace.folder.glob("work/finetune-0001/outcome-*"))
        assert successors.is_dir()
        assert scratch.is_dir()


def test_the_owner_publishes_next_to_what_another_process_left_in_its_place(
    database: Engine, tmp_path: Path
) -> None:
    with open_workspace(small_config(database, tmp_path), "run") as workspace:
        published = sampled(workspace)
        others = tmp_path / "others"
        others.mkdir()
        (others / "model.safetensors").write_bytes(b"other weights")
        checkpoints.publish(others, published)
        manifest = stages.finetune(workspace, 1)
        recorded = workspace.checkpoint(1)
        assert recorded.sha256 == manifest.checkpoint_sha256
        assert checkpoints.holds(Path(recorded.path), recorded.sha256)


def test_a_restart_point_of_another_owner_is_kept_and_its_own_files_are_left_alone(tmp_path: Path) -> None:
    old, new = WorkDirectory(tmp_path, "0" * 64, 1), WorkDirectory(tmp_path, "0" * 64, 2)
    for directory in (old, new):
        directory.open()
        (directory.scratch / "step-2").mkdir(parents=True)
        (directory.scratch / "step-2" / "weights").write_text(str(directory.owner))
    new.keep(new.scratch / "step-2", 2)
    (old.scratch / "step-2").mkdir(parents=True)
    (old.scratch / "step-2" / "weights").write_text("1")
    old.keep(old.scratch / "step-2", 2)
    kept = new.latest()
    assert kept is not None
    assert (kept / "weights").read_text() == "2"
    (tmp_path / "trainer").mkdir()  # of a version that did not number owners
    new.open()
    assert not list(tmp_path.glob("trainer*"))
