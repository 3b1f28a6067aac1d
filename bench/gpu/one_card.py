"""Training processes that share one device, each with a shard of the model (FSDP2): the launcher, and one of its processes.

A run starts a process per GPU. Here they share the GPU, so that sharding can be compared with a plain training on one.
"""

import json
import os
import subprocess
import sys
from collections.abc import Container
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh

from adastar_core.trainers import TrainingProgress
from adastar_core.trainers.job import Job, Launcher
from adastar_core.trainers.loop import OnProgress
from adastar_core.trainers.restart import WorkDirectory
from adastar_core.trainers.worker import train_as
from adastar_core.trainers.world import World, shard

_TIMEOUT_SECONDS = 90


class Sharing(World):
    """Shards even if it is the only process."""

    def place(self, model: nn.Module, blocks: Container[str]) -> None:
        shard(model, blocks, init_device_mesh(self.device.type, (self.size,)))


def launcher(processes: int, backend: str) -> Launcher:
    def launch(job: Job, _: WorkDirectory, __: int, report: OnProgress) -> None:
        order = job.work / "order.json"
        order.write_text(job.to_json())
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        command = [*torchrun, "--nproc-per-node", str(processes), __file__, str(order), backend]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
        if done.returncode:
            raise RuntimeError(f"{processes} processes over {backend} failed: {done.stderr[-3000:]}")
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                report(TrainingProgress(**json.loads(line)))

    return launch


def main(order: Path, backend: str) -> None:
    world = Sharing(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), 0)
    if torch.cuda.is_available():
        torch.cuda.set_device(world.device)
    distributed.init_process_group(backend, timeout=timedelta(seconds=_TIMEOUT_SECONDS))
    job = Job.from_json(order.read_text())
    train_as(job, world, lambda line: print(json.dumps(asdict(line)), flush=True))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
