"""One training process that shards its model all the same (FSDP2): the launcher, and the process.

A run shards over a process per GPU. With a single GPU this shows whether sharding changes what a training gives.
"""

import json
import os
import subprocess
import sys
from collections.abc import Container
from dataclasses import asdict
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh

from adastar_core.trainers import TrainingProgress
from adastar_core.trainers.job import Job
from adastar_core.trainers.loop import OnProgress
from adastar_core.trainers.restart import WorkDirectory
from adastar_core.trainers.worker import train_as
from adastar_core.trainers.world import World, shard

_TIMEOUT_SECONDS = 300


class Sharded(World):
    """Shards although it is alone."""

    def place(self, model: nn.Module, blocks: Container[str]) -> None:
        shard(model, blocks, init_device_mesh(self.device.type, (self.size,)))


def launch(job: Job, _: WorkDirectory, __: int, report: OnProgress) -> None:
    """Train in one sharded process, as a :data:`~adastar_core.trainers.job.Launcher`."""
    order = job.work / "order.json"
    order.write_text(job.to_json())
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
    command = [*torchrun, __file__, str(order)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"the sharded process failed: {done.stderr[-2000:]}")
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            report(TrainingProgress(**json.loads(line)))


def main(order: Path) -> None:
    world = Sharded(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), 0)
    on_gpu = world.device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(world.device)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    job = Job.from_json(order.read_text())
    train_as(job, world, lambda line: print(json.dumps(asdict(line)), flush=True))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
