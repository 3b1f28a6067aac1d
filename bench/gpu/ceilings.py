"""What a device can do at most, as measured, and what memory it holds. Without a GPU the processor takes its place."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from adastar_core.planning.cards import CARDS, Card

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
GIB = 2**30


@dataclass(frozen=True)
class Ceilings:
    """10^12 FLOPs per second of large bfloat16 products, and 10^9 bytes per second of a copy, read and written."""

    tflops: float
    gigabytes_per_second: float


@dataclass(frozen=True)
class Memory:
    """GPU memory at one moment: tensors, what torch's allocator keeps for them, and what is free for others."""

    when: str
    allocated_gib: float
    reserved_gib: float
    free_gib: float


def measure_ceilings() -> Ceilings:
    on_gpu = DEVICE.type == "cuda"
    width, times = (8192, 30) if on_gpu else (256, 2)
    left, right = (torch.randn(width, width, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    numbers = torch.ones(2**30 if on_gpu else 2**20, device=DEVICE)
    copy = torch.empty_like(numbers)
    product = _median_seconds(lambda: left @ right, times)
    copied = _median_seconds(lambda: copy.copy_(numbers), times)
    return Ceilings(2 * width**3 / product / 1e12, 2 * numbers.nbytes / copied / 1e9)


def _median_seconds(act: Callable[[], object], times: int) -> float:
    act()
    return sorted(seconds(act) for _ in range(times))[times // 2]


def seconds(act: Callable[[], object]) -> float:
    wait()
    started = time.perf_counter()
    act()
    wait()
    return time.perf_counter() - started


def wait() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def memory(when: str) -> Memory:
    if DEVICE.type != "cuda":
        return Memory(when, 0, 0, 0)
    held = torch.cuda.memory_allocated(), torch.cuda.memory_reserved(), torch.cuda.mem_get_info()[0]
    return Memory(when, *(size / GIB for size in held))


def free_unused() -> None:
    gc.collect()
    if DEVICE.type == "cuda":
        torch.cuda.empty_cache()


def start_peak() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_gib() -> float:
    """Return the most that tensors have held since :func:`start_peak`; 0 without a GPU."""
    return torch.cuda.max_memory_allocated() / GIB if DEVICE.type == "cuda" else 0


def known_card() -> Card | None:
    """Return the makers' figures of this GPU; ``None`` where ``--card`` does not know it."""
    name = torch.cuda.get_device_name().lower() if DEVICE.type == "cuda" else ""
    return next((card for known, card in CARDS.items() if known in name), None)
