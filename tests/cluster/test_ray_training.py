"""Training through Ray Train: the weights that this machine makes, whatever is lost on the way, and nothing left behind."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from adastar_core.cluster.training import launch_on
from adastar_core.config import ComputeSettings, TrainerSettings
from adastar_core.errors import StageError
from adastar_core.trainers import TrainingOutcome, TrainingProgress
from adastar_core.trainers.sft import finetune
from tests.core.test_sft import EXAMPLES
from tests.support.ray_cluster import SmallCluster
from tests.support.tiny_llama import write_tiny_llama

SETTINGS = TrainerSettings(learning_rate=1e-3, batch_size=4, save_every=2, timeout_seconds=300)
TRAINER = "TrainWorker"
Watch = Callable[[TrainingProgress], None]


def _finetune(
    base: Path,
    folder: Path,
    processes: int,
    cluster: SmallCluster | None = None,
    watch: Watch = lambda _: None,
) -> tuple[TrainingOutcome, list[TrainingProgress]]:
    seen: list[TrainingProgress] = []

    def progress(line: TrainingProgress) -> None:
        seen.append(line)
        watch(line)

    compute = (
        ComputeSettings(backend="ray", address=cluster.address, timeout_seconds=900) if cluster else None
    )
    outcome = finetune(
        base, EXAMPLES[:18], SETTINGS.model_copy(update={"processes": processes}), planned_steps=5, seed=0, iteration=1,
        output=folder / "checkpoint", work=folder / "work", progress=progress, launcher=launch_on(compute) if compute else None,
    )  # fmt: skip
    return outcome, seen


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "base")


@pytest.mark.slow
def test_two_processes_train_on_after_one_was_killed(
    base: Path, tmp_path: Path, cluster: SmallCluster
) -> None:
    here, here_seen = _finetune(base, tmp_path / "here", 2)
    killed: list[int] = []

    def kill_one(line: TrainingProgress) -> None:
        if line.step == 3 and not killed:
            killed.append(cluster.processes(TRAINER)[-1].pid)
            os.kill(killed[0], signal.SIGKILL)

    there, seen = _finetune(base, tmp_path / "there", 2, cluster, kill_one)
    assert killed
    assert len(seen) > 5, "it went on from a restart point"
    assert {line.step: line.loss for line in seen} == {line.step: line.loss for line in here_seen}
    assert there.checkpoint.sha256 == here.checkpoint.sha256
    assert cluster.processes(TRAINER) == []
    assert {one.name.split("-")[0] for one in (tmp_path / "there" / "work").iterdir()} == {"outcome"}


def test_a_training_that_diverges_says_so_and_is_not_tried_again(
    base: Path, tmp_path: Path, cluster: SmallCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.cluster.test_ray_training.SETTINGS", SETTINGS.model_copy(update={"learning_rate": 1e30})
    )
    with pytest.raises(StageError, match=r"^training diverged at step 2 of 5.*lower trainer\.learning_rate"):
        _finetune(base, tmp_path, 1, cluster)
    assert cluster.processes(TRAINER) == []


def test_a_cluster_without_room_is_said_to_have_none(
    base: Path, tmp_path: Path, cluster: SmallCluster
) -> None:
    compute = ComputeSettings(backend="ray", address=cluster.address, cpus=64, timeout_seconds=1)
    with pytest.raises(StageError, match=r"no room for trainer\.processes \(1\)"):
        finetune(
            base, EXAMPLES[:4], SETTINGS, planned_steps=1, seed=0, iteration=1,
            output=tmp_path / "checkpoint", work=tmp_path / "work", launcher=launch_on(compute),
        )  # fmt: skip
