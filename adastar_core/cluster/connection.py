"""This process's connection to the cluster, and what the cluster has."""

import logging
import os
import signal
import socket
import threading
from importlib.util import find_spec
from typing import Any

from adastar_core.cluster.settings import ComputeSettings
from adastar_core.errors import ConfigError
from adastar_core.generators.settings import GeneratorSettings

_CONNECT_SECONDS = 10.0


def connect(compute: ComputeSettings) -> None:
    """Join the cluster, if this process has not yet; a ConfigError if there is no Ray or no cluster."""
    if find_spec("ray") is None:
        raise ConfigError("compute.backend is ray, and Ray is not installed: pip install 'adastar[ray]'.")
    import ray

    if ray.is_initialized():
        return
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        auto = compute.address == "auto"
        named = os.environ.get("RAY_ADDRESS", "auto") if auto else compute.address
        if named != "auto":
            # Ray waits many minutes for an address where nothing listens; this takes seconds.
            host, _, port = named.rpartition(":")
            socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
        ray.init(compute.address, namespace="adastar", log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"compute.address is {compute.address!r}, but no Ray cluster answers there ({error}). Start one with `ray start "
            "--head`, join one with `ray start --address=HEAD:6379 --num-cpus=0`, or set compute.backend: local."
        ) from error
    if in_main_thread:
        signal.signal(signal.SIGTERM, handler)  # Ray has replaced it


def gpus_of_an_actor(compute: ComputeSettings, generator: GeneratorSettings) -> int:
    """Return how many GPUs each generation actor asks for."""
    if compute.gpus is not None:
        return compute.gpus
    return generator.vllm.tensor_parallel if has_gpus() else 0


def actors_wanted(compute: ComputeSettings, gpus: int) -> int:
    """Return how many generation actors to start: as configured, or as many as the cluster has room for."""
    import ray

    if compute.actors is not None:
        return compute.actors
    if gpus:
        return max(1, int(_gpus()) // gpus)
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    with_room = [node for node in nodes if node["Alive"] and node["Resources"].get("CPU", 0) >= compute.cpus]
    return max(1, len(with_room))


def has_gpus() -> bool:
    """Return whether any of the cluster's nodes has a GPU."""
    return _gpus() > 0


def _gpus() -> float:
    import ray

    found: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return found.get("GPU", 0)
