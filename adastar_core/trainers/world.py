"""The processes of one training: which of them this is, and what they compute together. One process alone pays nothing."""

from collections.abc import Container
from dataclasses import dataclass

import torch
from torch import nn
from torch.distributed import all_reduce
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor


@dataclass(frozen=True, slots=True)
class World:
    """The place of this process among the ``size`` processes of a training; number 0 writes and reports.

    ``local_rank`` is its number on this machine, which chooses its GPU; ``None`` stays on the CPU.
    """

    rank: int = 0
    size: int = 1
    local_rank: int | None = 0

    @property
    def device(self) -> torch.device:
        if self.local_rank is None or not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", self.local_rank)

    @property
    def writes(self) -> bool:
        """Whether this process writes restart points and reports progress."""
        return self.rank == 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        if self.size > 1:
            all_reduce(values)
        return values

    def place(self, model: nn.Module, blocks: Container[str]) -> None:
        """Put the model where it is trained; with several processes each holds a shard of it (:func:`shard`)."""
        if self.size == 1:
            model.to(self.device)
        else:
            shard(model, blocks, init_device_mesh(self.device.type, (self.size,)))


ALONE = World()
PUBLISHER = World(local_rank=None)
"""Publishes on the CPU: a GPU may have room for a shard of the model only."""


def shard(model: nn.Module, blocks: Container[str], mesh: DeviceMesh) -> None:
    """Leave this process with a shard of every weight (FSDP2).

    ``blocks`` are the class names of the layers that are gathered one at a time.
    """
    for module in model.modules():
        if type(module).__name__ in blocks:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as every process would hold it alone; collective where it is sharded."""
    plain = tensor.detach()
    return plain.full_tensor() if isinstance(plain, DTensor) else plain


def shard_like(full: torch.Tensor, pattern: torch.Tensor) -> torch.Tensor:
    """Return this process's part of ``full``, laid out as ``pattern`` is."""
    if isinstance(pattern, DTensor):
        mesh = pattern.device_mesh
        return distribute_tensor(full.to(pattern.device), mesh, pattern.placements, src_data_rank=None)
    return full.to(pattern.device)
