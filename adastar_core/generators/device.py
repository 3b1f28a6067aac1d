"""The devices and the memory of a generation engine, and the check that they are free again after it."""

import os
import time

import psutil
import torch

from adastar_core.errors import EngineError

_GIB = 2**30
_CPU_SHARE, _CPU_MOST_BYTES = 8, 4 * _GIB
_SLACK_BYTES = _GIB // 2
_FREED_SECONDS = 60.0


def kv_cache_bytes(gib: float | None, engines: int) -> int | None:
    """Return each engine's memory for keys and values; ``None`` where vLLM's share of the GPU decides."""
    if gib is not None:
        return int(gib * _GIB)
    if torch.cuda.is_available():
        return None
    return min(psutil.virtual_memory().available // _CPU_SHARE, _CPU_MOST_BYTES) // engines


def free_bytes() -> int | None:
    """Return the free memory of all GPUs together; ``None`` without one."""
    if not torch.cuda.is_available():
        return None
    return sum(torch.cuda.mem_get_info(device)[0] for device in range(torch.cuda.device_count()))


def await_freed(before: int | None) -> None:
    """Wait until as much GPU memory is free as before the engine started, less half a GiB.

    Raises:
        EngineError: It does not become free within a minute.
    """
    if before is None:
        return
    end = time.monotonic() + _FREED_SECONDS
    while (free := free_bytes() or 0) < before - _SLACK_BYTES:
        if time.monotonic() > end:
            raise EngineError(
                f"The generation engine has ended, but only {free / _GIB:.1f} of {before / _GIB:.1f} GiB of GPU memory are free again. "
                "Training would fail; look for other processes on the GPU."
            )
        time.sleep(0.5)


def visible_devices(engine: int, width: int) -> dict[str, str]:
    """Return the variable that limits engine number ``engine`` to its own ``width`` GPUs; empty without GPUs."""
    if not torch.cuda.is_available():
        return {}
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    every = named.split(",") if named else [str(device) for device in range(torch.cuda.device_count())]
    mine = every[engine * width : (engine + 1) * width]
    if len(mine) < width:
        raise EngineError(
            f"generator.vllm.tensor_parallel is {width}, but {len(mine)} of {len(every)} GPUs are left for engine {engine + 1}. "
            "Lower generator.vllm.tensor_parallel or generator.vllm.data_parallel."
        )
    return {"CUDA_VISIBLE_DEVICES": ",".join(mine)}
