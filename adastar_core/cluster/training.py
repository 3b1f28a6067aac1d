"""Training through Ray Train: the same code as on one machine, in processes that Ray places and starts."""

from contextlib import suppress
from typing import Any

import ray
from ray import ObjectRef
from ray.exceptions import GetTimeoutError, RayError, RayTaskError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.queue import Empty, Queue

from adastar_core.cluster.connection import connect, has_gpus
from adastar_core.cluster.settings import ComputeSettings
from adastar_core.errors import AdaStarError, StageError
from adastar_core.trainers.job import Job, Launcher
from adastar_core.trainers.loop import OnProgress
from adastar_core.trainers.restart import WorkDirectory

_POLL_SECONDS = 0.5
_FAILURES = 3
"""How often Ray Train restarts the processes from the last restart point after it has lost one."""

Room = dict[str, float]


def launch_on(compute: ComputeSettings) -> Launcher:
    """Return the launcher that trains on a cluster, as ``trainers.launch.launch`` does on one machine."""

    def launch(job: Job, directory: WorkDirectory, steps: int, report: OnProgress) -> None:
        """Train in ``settings.processes`` processes of the cluster, up to a restart point of the last step.

        Raises:
            ConfigError: There is no cluster.
            StageError: The cluster has no room, lost processes too often, or was silent for too long.
            AdaStarError: What training raises.
        """
        if directory.step_of_latest() == steps:
            return
        connect(compute)
        room: Room = {"CPU": compute.cpus} | ({"GPU": 1} if has_gpus() else {})
        _require_room(room, job.settings.processes, compute.timeout_seconds)
        queue = Queue(actor_options={"num_cpus": 0})
        task = ray.remote(_fit).options(num_cpus=0, max_retries=0)
        fit = task.remote(job.to_json(), str(directory.scratch), room, queue)
        try:
            _follow(fit, queue, report, compute.timeout_seconds)
        finally:
            ray.cancel(fit, force=True)  # no effect once it has ended
            queue.shutdown(force=True)

    return launch


def _require_room(room: Room, processes: int, seconds: float) -> None:
    """Wait until the cluster has room for all processes; asking makes an autoscaling one grow."""
    group = placement_group([room] * processes, strategy="SPREAD")
    try:
        ray.get(group.ready(), timeout=seconds)
    except GetTimeoutError as error:
        raise StageError(
            f"The Ray cluster had no room for trainer.processes ({processes}) of {room} each within {seconds:g} seconds. Check "
            "`ray status`, and lower trainer.processes or compute.cpus; with generator.vllm.while_training: keep, the generation "
            "actors keep theirs."
        ) from error
    finally:
        remove_placement_group(group)


def _follow(fit: ObjectRef[Any], queue: Queue, report: OnProgress, seconds: float) -> None:
    """Report progress until the training has ended.

    Raises:
        StageError: It failed, or was silent for too long.
        AdaStarError: What one of its processes raised.
    """
    silent = 0.0
    ended: list[ObjectRef[Any]] = []
    while not ended:
        ended, _ = ray.wait([fit], timeout=_POLL_SECONDS)
        silent += _POLL_SECONDS
        with suppress(Empty):
            while True:
                item = queue.get(block=False)
                silent = 0.0
                if isinstance(item, AdaStarError):
                    raise item
                report(item)
        if silent > seconds:
            raise StageError(
                f"Training on the Ray cluster made no step for {seconds:g} seconds and was ended. Check Ray's logs, then run it again: it "
                "resumes from its last restart point."
            )
    try:
        ray.get(fit)
    except RayError as error:
        cause = error.cause if isinstance(error, RayTaskError) else error
        reason = " ".join(str(cause).split())[-500:]
        raise StageError(
            f"Training on the Ray cluster failed: {reason}. Run it again: it resumes from its last restart point."
        ) from error


def _fit(job: str, scratch: str, room: Room, queue: Queue) -> None:
    """Hold Ray Train's controller. It runs as a task of the cluster, so that it ends with the flow."""
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
    """Train as one process of several; Ray has set up the process group."""
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

    try:
        train_as(Job.from_json(config["job"]), world, queue.put)
    except AdaStarError as error:  # every retry would raise it again, so the flow must hear of it
        queue.put(error)
        raise
