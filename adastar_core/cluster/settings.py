"""Where generation and training are computed."""

from typing import Literal

from pydantic import field_validator

from adastar_core.settings import ClusterAddress, Settings, setting


class ComputeSettings(Settings):
    """This machine, or a Ray cluster; nothing here is part of what a run is, but it may change rounding."""

    backend: Literal["local", "ray"] = setting(
        "local",
        "Backend",
        "This machine; or a Ray cluster, where actors generate and Ray Train trains, while the flow stays here.",
    )
    address: ClusterAddress = setting(
        "auto",
        "Address",
        "The cluster's, as ray.init takes it; auto is RAY_ADDRESS or the cluster that this machine belongs to.",
        min_length=1,
    )
    actors: int | None = setting(
        None,
        "Actors",
        "Generation engines; none takes as many as the cluster's GPUs allow or, without GPUs, one per node.",
        ge=1,
    )
    cpus: float = setting(1.0, "Cores", "Cores of each actor and of each training process.", gt=0)
    gpus: int | None = setting(
        None,
        "GPUs",
        "GPUs of each actor; none takes generator.vllm.tensor_parallel where the cluster has GPUs. A training process has one.",
        ge=0,
    )
    piece: int = setting(
        32, "Piece", "Attempts that an actor takes at a time, and does again when it is lost.", ge=1
    )
    timeout_seconds: float = setting(
        1800.0, "Timeout", "Longest wait for room, for one piece or for one training step, in seconds.", gt=0
    )

    @field_validator("address")
    @classmethod
    def _no_client(cls, address: str) -> str:
        if address.startswith("ray://"):
            raise ValueError(
                "is Ray Client's, through which no flow can be followed; start the flow on a machine that has joined the "
                "cluster (ray start --address=HEAD:6379 --num-cpus=0) and leave address at auto"
            )
        return address
