"""One process of a training in several, and the launcher that starts them. Started by ``launch``.

``python -m adastar_core.trainers.worker launch PARENT COUNT JOB.json`` is ``torchrun`` on this module, tied to the
life of the parent; ``python -m adastar_core.trainers.worker JOB.json`` is one of its processes.
"""

import json
import os
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adastar_core.machine.parent import end_with

_LAUNCHER = "ADASTAR_LAUNCHER"

if TYPE_CHECKING:
    from adastar_core.trainers.job import Job
    from adastar_core.trainers.loop import OnProgress
    from adastar_core.trainers.world import World


def main() -> None:
    match sys.argv[1:]:
        case ["launch", parent, count, order]:
            end_with(int(parent))
            from torch.distributed.run import main as torchrun

            os.environ[_LAUNCHER] = str(
                os.getpid()
            )  # checked by its processes, which may start after it was killed
            options = ["--standalone", "--nproc-per-node", count, "--max-restarts", "0"]
            torchrun([*options, "-m", __spec__.name, order])
        case [order]:
            end_with(int(os.environ[_LAUNCHER]))
            train(Path(order))
        case other:
            raise SystemExit(f"expected JOB.json, or launch PARENT COUNT JOB.json, not {other}")


def train(order: Path) -> None:
    """Train as one process of several, and leave a restart point of the last step."""
    import torch
    from torch import distributed

    from adastar_core.trainers import TrainingProgress
    from adastar_core.trainers.job import Job
    from adastar_core.trainers.world import World

    def report(line: TrainingProgress) -> None:
        print(json.dumps(asdict(line)), flush=True)

    job = Job.from_json(order.read_text())
    world = World(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))
    if world.device.type == "cuda":
        torch.cuda.set_device(world.device)
    distributed.init_process_group(
        "nccl" if world.device.type == "cuda" else "gloo",
        timeout=timedelta(seconds=job.settings.timeout_seconds),
    )
    train_as(job, world, report)
    distributed.destroy_process_group()


def train_as(job: "Job", world: "World", report: "OnProgress") -> None:
    """Train as one process of a process group, and leave a restart point of the last step."""
    from torch import distributed

    from adastar_core.machine.quiet import no_progress_bars
    from adastar_core.trainers.job import open_training

    with no_progress_bars():
        training = open_training(job, job.plan(), world)
        training.run(job.directory, report, keep_last=True)
    distributed.barrier()  # without it a process may end while another still talks to it


if __name__ == "__main__":
    main()
