"""Where generation and training are computed."""

from typing import Literal

from pydantic import field_validator

from adastar_core.settings import ClusterAddress, Settings, setting


class ComputeSettings(Settings):
    """This machine, or a Ray cluster. Not part of what a run is, but it may change rounding."""

    backend: Literal["local", "ray"] = setting(
        "local",
        "Backend",
        "This machine; or a Ray cluster: actors generate and Ray Train trains, while the flow stays here.",
    )
    address: ClusterAddress = setting(
        "auto",
        "Address",
        "The cluster's address, as in ray.init. auto: RAY_ADDRESS, or the cluster that this machine has joined.",
        min_length=1,
    )
    actors: int | None = setting(
        None,
        "Actors",
        "Generation engines. Default: as many as the cluster's GPUs allow; without GPUs, one per node.",
        ge=1,
    )
    cpus: float = setting(1.0, "Cores", "Cores of each actor and of each training process.", gt=0)
    gpus: int | None = setting(
        None,
        "GPUs",
        "GPUs of each actor. Default: generator.vllm.tensor_parallel if the cluster has GPUs. A training process has one.",
        ge=0,
    )
    piece: int = setting(
        32, "Piece", "Attempts that an actor generates at a time; a lost actor's piece is retried.", ge=1
    )
    timeout_seconds: float = setting(
        1800.0,
        "Timeout",
        "Longest wait for resources, for one piece or for one training step, in seconds.",
        gt=0,
    )

    @field_validator("address")
    @classmethod
    def _no_client(cls, address: str) -> str:
        if address.startswith("ray://"):
            raise ValueError(
                "is Ray Client's, which cannot run a flow; start the flow on a machine that has joined the "
                "cluster (ray start --address=HEAD:6379 --num-cpus=0) and leave address at auto"
            )
        return address
