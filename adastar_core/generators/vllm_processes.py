"""The processes in which vLLM runs: started with devices of their own, asked all at once, ended together."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from adastar_core.errors import EngineError
from adastar_core.generators.device import await_freed, free_bytes, kv_cache_bytes, visible_devices
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.machine.child import Child, ChildFailure

MODULE = "adastar_core.generators.vllm_engine"
_START_SECONDS = 900.0
_MOST_ROWS = 1024

Order = Mapping[str, object]


class EngineProcesses:
    """As many engines as ``generator.vllm.data_parallel`` says, or none.

    On a CPU each gets ``threads``; ``None`` leaves that to vLLM's libraries. ``traits`` are the first one's
    number format, platform, whether it can sleep, and longest text.
    """

    def __init__(self, settings: GeneratorSettings, log: Path, threads: int | None) -> None:
        self._settings, self._log, self._threads = settings, log, threads
        self._children: list[Child] = []
        self._free_bytes: int | None = None
        self.traits: Mapping[str, Any] = {}

    def __len__(self) -> int:
        return len(self._children)

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self._children]

    def start(self, model_dir: Path) -> None:
        """Start them, each with its own devices, in place of any that run.

        Raises:
            EngineError: They do not start.
        """
        self.end()
        if self._free_bytes is None:
            self._free_bytes = free_bytes()
        settings, parallel = self._settings, self._settings.vllm
        order = {
            "model": str(model_dir),
            "dtype": settings.dtype,
            "kv_cache_bytes": kv_cache_bytes(parallel.kv_cache_gib, parallel.data_parallel),
            "utilization": parallel.utilization,
            "tensor_parallel": parallel.tensor_parallel,
            "prefix_caching": parallel.prefix_caching,
            "longest_text": parallel.longest_text,
            "rows": min(settings.batch_size, _MOST_ROWS),
            "sleeps": parallel.while_training in ("auto", "sleep"),
        }
        self._log.parent.mkdir(parents=True, exist_ok=True)
        for number in range(parallel.data_parallel):
            devices = visible_devices(number, parallel.tensor_parallel)
            environment = {**self._environment(), **devices}
            self._children.append(Child(MODULE, [str(os.getpid())], log=self._log, environment=environment))
        try:
            self.traits = self.each(order)[0]
        except ChildFailure as failure:
            self.end()
            raise EngineError(
                f"vLLM cannot start on {model_dir}: {failure}. Set generator.type: transformers if it does not support the model; "
                "if memory is short, lower generator.vllm.kv_cache_gib or generator.vllm.longest_text."
            ) from failure

    def each(self, order: Order) -> list[dict[str, Any]]:
        """Send all the same order, and return their answers.

        Raises:
            ChildFailure: One of them failed.
        """
        return self.all([order] * len(self._children), _START_SECONDS)

    def all(self, orders: Sequence[Order], seconds: float, skip_empty: str = "") -> list[dict[str, Any]]:
        """Send each its order, all at once, and return the answers of those that had something to do.

        An engine whose order's part ``skip_empty`` is empty has nothing to do.

        Raises:
            ChildFailure: One of them failed.
        """
        busy = [
            (child, order)
            for child, order in zip(self._children, orders, strict=True)
            if not skip_empty or order[skip_empty]
        ]
        with ThreadPoolExecutor(len(busy)) as pool:
            return list(pool.map(lambda pair: pair[0].ask(pair[1], seconds), busy))

    def end(self) -> None:
        while self._children:
            self._children.pop().end()

    def end_and_await_memory(self) -> None:
        """End them, and wait until their GPU memory is free again.

        Raises:
            EngineError: It did not become free.
        """
        self.end()
        await_freed(self._free_bytes)

    def _environment(self) -> dict[str, str]:
        own = {
            "HF_HUB_OFFLINE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "WARNING"),
            "VLLM_NO_USAGE_STATS": "1",
            "VLLM_USE_V2_MODEL_RUNNER": "0",
        }
        return own if self._threads is None else {**own, "OMP_NUM_THREADS": str(self._threads)}
