"""A Ray cluster of several nodes on this machine: each a real raylet with cores to give."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # before Ray is imported, which reads it
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 (else, on a busy machine, its processes are given nothing)

import psutil
import ray
from ray.cluster_utils import Cluster

_MARK = "ADASTAR_TEST_CLUSTER"
"""Environment variable that marks the processes of one cluster."""
_END_SECONDS = 120.0
_STORE_BYTES = 100 * 2**20


class SmallCluster:
    """A head without cores, and nodes with ``cores`` each that come and go."""

    def __init__(self, nodes: int, cores: int) -> None:
        self._cores, self._mark = cores, str(uuid.uuid4())
        os.environ[_MARK] = self._mark  # its nodes inherit it, and their processes
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": _STORE_BYTES},
        )
        self.nodes: list[Any] = []
        for _ in range(nodes):
            self.add()

    @property
    def address(self) -> str:
        """Return what `compute.address` is to be."""
        return str(self._cluster.address)

    def processes(self, name: str) -> list[psutil.Process]:
        """Return this cluster's processes whose title has ``name`` in it; other tests have clusters of their own."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if name in " ".join(process.cmdline()) and process.environ().get(_MARK) == self._mark:
                    found.append(process)
        return found

    def left(self, name: str) -> list[psutil.Process]:
        """Return those of these processes that do not end, though Ray has time to end them."""
        end = time.monotonic() + _END_SECONDS
        while (found := self.processes(name)) and time.monotonic() < end:
            time.sleep(0.2)
        return found

    def add(self) -> None:
        """Add a node."""
        self.nodes.append(self._cluster.add_node(num_cpus=self._cores, object_store_memory=_STORE_BYTES))

    def remove(self, node_id: str) -> None:
        """Take a node away, as a power cut does."""
        node = next(one for one in self.nodes if one.node_id == node_id)
        self.nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def shutdown(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()


@contextmanager
def small_cluster(nodes: int, cores: int) -> Iterator[SmallCluster]:
    """Yield a cluster, and leave nothing of it behind, nor this process's connection to it."""
    cluster = SmallCluster(nodes, cores)
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
