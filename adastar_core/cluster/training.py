"""Training through Ray Train: the same module that trains on one machine, in processes that Ray places and starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import ObjectRef
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.queue import Empty, Queue

from adastar_core.cluster.connection import connect, has_gpus
from adastar_core.cluster.settings import ComputeSettings
from adastar_core.errors import AdaStarError, StageError
from adastar_core.trainers import TrainingProgress
from adastar_core.trainers.job import Job, Launcher
from adastar_core.trainers.loop import Report
from adastar_core.trainers.restart import WorkDirectory

_POLL_SECONDS = 0.5
_FAILURES = 3
"""How often Ray Train starts the processes again, from the last restart point, after it has lost one."""

Room = dict[str, float]


def launch_on(compute: ComputeSettings) -> Launcher:
    """Return what trains on a cluster, as ``trainers.launch.launch`` does on one machine."""

    def launch(job: Job, directory: WorkDirectory, steps: int, report: Report) -> None:
        """Train in ``settings.processes`` processes of the cluster; they leave a restart point of the last step.

        Raises:
            ConfigError: There is no cluster.
            StageError: The cluster has no room, lost processes too often, or was silent for too long.
            AdaStarError: What training raises.
        """
        if directory.step_of_latest() == steps:
            return
        connect(compute)
        room = _room(compute)
        _require_room(room, job.settings.processes, compute.timeout_seconds)
        with _progress() as queue:
            fit = (
                ray.remote(_fit)
                .options(num_cpus=0, max_retries=0)
                .remote(job.to_json(), str(directory.scratch), room, queue)
            )
            try:
                _follow(fit, queue, report, compute.timeout_seconds)
            finally:
                ray.cancel(fit, force=True)  # nothing, where it has ended

    return launch


def _room(compute: ComputeSettings) -> Room:
    return {"CPU": compute.cpus} | ({"GPU": 1} if has_gpus() else {})


def _require_room(room: Room, processes: int, seconds: float) -> None:
    """Wait until the cluster has room for all processes, also one that grows when asked.

    Raises:
        StageError: It has none in time.
    """
    group = placement_group([room] * processes, strategy="SPREAD")
    try:
        ray.get(group.ready(), timeout=seconds)
    except GetTimeoutError as error:
        raise StageError(
            f"The Ray cluster had no room for trainer.processes ({processes}) of {room} each within {seconds:g} seconds; see with "
            "`ray status` what it has. Lower trainer.processes or compute.cpus; with generator.vllm.while_training: keep the generation actors hold theirs."
        ) from error
    finally:
        remove_placement_group(group)


@contextmanager
def _progress() -> Iterator[Queue]:
    """Yield a queue for progress and for the error that ended a training."""
    queue = Queue(actor_options={"num_cpus": 0})
    try:
        yield queue
    finally:
        queue.shutdown(force=True)


def _follow(fit: ObjectRef[Any], queue: Queue, report: Report, seconds: float) -> None:
    """Show progress until the training has ended.

    Raises:
        StageError: It failed, or was silent for too long.
        AdaStarError: What one of its processes raised.
    """
    silent = 0.0
    ended: list[ObjectRef[Any]] = []
    while not ended:
        ended, _ = ray.wait([fit], timeout=_POLL_SECONDS)
        heard = _show(queue, report)
        silent = 0.0 if heard else silent + _POLL_SECONDS
        if silent > seconds:
            raise StageError(
                f"Training on the Ray cluster made no step for {seconds:g} seconds and was ended. Look into Ray's logs; run it "
                "again, and it goes on from its last restart point."
            )
    try:
        ray.get(fit)
    except RayError as error:
        raise StageError(
            f"Training on the Ray cluster failed: {_reason(error)}. Run it again, and it goes on from its last restart point."
        ) from error


def _show(queue: Queue, report: Report) -> bool:
    """Report all that is in the queue, and return whether there was anything."""
    heard = False
    while True:
        try:
            one = queue.get(block=False)
        except Empty:
            return heard
        heard = True
        if isinstance(one, AdaStarError):
            raise one
        report(one)


def _reason(error: RayError) -> str:
    cause = error.cause if isinstance(error, RayTaskError) else error
    return " ".join(str(cause).split())[-500:]


def _fit(job: str, scratch: str, room: Room, queue: Queue) -> None:
    """Hold Ray Train's controller; a task of the cluster, so that it ends with the flow that asked for it."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    settings = Job.from_json(job).settings
    gpus = "GPU" in room
    TorchTrainer(
        _train,
        train_loop_config={"job": job, "queue": queue},
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo", timeout_s=int(settings.timeout_seconds)),
        scaling_config=ScalingConfig(
            num_workers=settings.processes,
            use_gpu=gpus,
            resources_per_worker=room,
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(
            name="ray", storage_path=scratch, failure_config=FailureConfig(max_failures=_FAILURES)
        ),
    ).fit()


def _train(config: dict[str, Any]) -> None:
    """Train as one process of several; Ray has made the process group."""
    import torch
    from ray import train
    from ray.train.torch import get_device

    from adastar_core.trainers.worker import train_as
    from adastar_core.trainers.world import World

    queue: Queue = config["queue"]
    context, device = train.get_context(), get_device()
    if isinstance(device, torch.device) and device.type == "cuda":
        torch.cuda.set_device(device)
    local = device.index if isinstance(device, torch.device) and device.index is not None else 0
    world = World(context.get_world_rank(), context.get_world_size(), local)

    def report(line: TrainingProgress) -> None:
        queue.put(line)

    try:
        train_as(Job.from_json(config["job"]), world, report)
    except AdaStarError as error:  # the same at every start: nothing that Ray should try again
        queue.put(error)
        raise
