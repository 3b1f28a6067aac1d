"""Training through Ray Train: the weights that this machine makes, whatever is lost on the way, and nothing left behind."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
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

STEPS = 40
SETTINGS = TrainerSettings(
    learning_rate=1e-3, batch_size=4, save_every=2, timeout_seconds=300, on_exhausted="repeat"
)
TRAINER = "TrainWorker"


def _finetune(
    base: Path, folder: Path, settings: TrainerSettings, cluster: SmallCluster | None = None
) -> tuple[TrainingOutcome, list[TrainingProgress]]:
    seen: list[TrainingProgress] = []
    compute = (
        ComputeSettings(backend="ray", address=cluster.address, timeout_seconds=900) if cluster else None
    )
    outcome = finetune(
        base, EXAMPLES[:18], settings, planned_steps=STEPS, seed=0, iteration=1,
        output=folder / "checkpoint", work=folder / "work", progress=seen.append, launcher=launch_on(compute) if compute else None,
    )  # fmt: skip
    return outcome, seen


def _kill_one(cluster: SmallCluster, work: Path) -> int:
    """Kill a process that trains as soon as there is a restart point to resume from; return the steps of the last one."""
    while not any(work.glob("restart-*")):
        trainers = cluster.processes(TRAINER)
    os.kill(trainers[-1].pid, signal.SIGKILL)
    return max(int(one.name.rpartition("-")[2]) for one in work.glob("restart-*"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "base")


@pytest.mark.slow
def test_two_processes_train_on_after_one_was_killed(
    base: Path, tmp_path: Path, cluster: SmallCluster
) -> None:
    settings = SETTINGS.model_copy(update={"processes": 2})
    here, here_seen = _finetune(base, tmp_path / "here", settings)
    with ThreadPoolExecutor(1) as watch:
        killed = watch.submit(_kill_one, cluster, tmp_path / "there" / "work")
        there, seen = _finetune(base, tmp_path / "there", settings, cluster)
        assert 0 < killed.result() < STEPS, "it was killed in between"
    assert len(seen) < 2 * STEPS, "it went on from a restart point"
    assert {line.step: line.loss for line in seen} == {line.step: line.loss for line in here_seen}
    assert there.checkpoint.sha256 == here.checkpoint.sha256
    assert cluster.left(TRAINER) == []
    assert {one.name.split("-")[0] for one in (tmp_path / "there" / "work").iterdir()} == {"outcome"}


def test_a_training_that_diverges_says_so_and_is_not_tried_again(
    base: Path, tmp_path: Path, cluster: SmallCluster
) -> None:
    wild = SETTINGS.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(StageError, match=r"^training diverged in step 2 of 40.*lower trainer\.learning_rate"):
        _finetune(base, tmp_path, wild, cluster)
    assert cluster.left(TRAINER) == []


def test_a_cluster_without_room_is_reported(base: Path, tmp_path: Path, cluster: SmallCluster) -> None:
    compute = ComputeSettings(backend="ray", address=cluster.address, cpus=64, timeout_seconds=1)
    with pytest.raises(StageError, match=r"no room for trainer\.processes \(1\)"):
        finetune(
            base, EXAMPLES[:4], SETTINGS, planned_steps=1, seed=0, iteration=1,
            output=tmp_path / "checkpoint", work=tmp_path / "work", launcher=launch_on(compute),
        )  # fmt: skip
