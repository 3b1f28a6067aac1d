"""Measure the cost of the visiting order: select m observations, then stamp and commit, at growing pool sizes N.

Ours is the ring with the statistics in Postgres. The reference works like the authors' code: a heap of tuples in memory
that is copied and drained to get the order, and pushed to afterwards. Both start from the same random history of 100
iterations and take the same steps in one run, so their ratio is meaningful on a busy machine.

Run it:  python bench/sampler.py --json sampler.json            (up to N = 10^6; --largest 1e7 takes some minutes)
"""

import copy
import gc
import heapq
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
from common import run, save, show
from scene import owned_run, prepare_iteration, server
from sqlalchemy import Engine, text

from adastar_core.samplers import Statistics
from adastar_core.samplers.adastar import AdaStarSampler
from adastar_core.selection import Visit
from adastar_core.store.iterations import advance
from adastar_core.store.lease import Lease
from adastar_core.store.partitions import room_for_updates
from adastar_core.store.statistics import read_statistics
from adastar_core.streams import tiebreak_ranks

HISTORY = 100
ALPHA = 0.8


@dataclass(frozen=True)
class Figure:
    """Medians over rounds, in milliseconds; memory in MB. The heap is None where it was not run."""

    observations: int
    m: int
    build_ms: float
    select_ms: float
    advance_ms: float
    total_ms: float
    fastest_total_ms: float
    ring_mb: float
    heap_ms: float | None
    heap_mb: float | None
    times_faster: float | None


def main(
    *, largest: float = 1e6, largest_heap: float = 1e6, rounds: int = 15, json: Path | None = None
) -> None:
    """Measure every size, print the table, write it as JSON where asked to.

    Args:
        largest: Largest N.
        largest_heap: Largest N of the heap.
        rounds: Iterations of each measurement.
        json: Where to write the figures.
    """
    sizes = [
        (observations, m)
        for observations in (10**4, 10**5, 10**6, 10**7)
        for m in (3_000, 30_000)
        if observations <= largest and m < observations
    ]
    with server() as engine:
        figures = [measure(engine, n, m, rounds, with_heap=n <= largest_heap) for n, m in sizes]
    show("select m + advance with commit, median ms", figures)
    save(json, figures)


def measure(engine: Engine, observations: int, m: int, rounds: int, *, with_heap: bool) -> Figure:
    """Take ``rounds`` iterations with the ring and the store, then with the heap."""
    with owned_run(engine) as lease:
        write_history(engine, lease.run_id, observations)
        with engine.connect() as connection:
            history = read_statistics(connection, lease.run_id)
        ring_mb, build_ms, sampler = measured(lambda: build_ring(engine, lease.run_id, observations))
        iterations = range(HISTORY + 1, HISTORY + rounds + 1)
        steps = [ring_step(sampler, lease, iteration, m, observations) for iteration in iterations]
    selects, advances = zip(*steps, strict=True)
    totals = [sum(step) for step in steps]
    heap_ms = heap_mb = None
    if with_heap:
        heap_mb, _, heap = measured(lambda: build_heap(history))
        heap_ms = statistics.median(heap_step(heap, iteration, m) for iteration in iterations[:5])
    total = statistics.median(totals)
    return Figure(
        observations, m, build_ms, statistics.median(selects), statistics.median(advances), total, min(totals),
        ring_mb, heap_ms, heap_mb, heap_ms / total if heap_ms else None,
    )  # fmt: skip


def write_history(engine: Engine, run_id: int, observations: int) -> None:
    with engine.begin() as connection, room_for_updates(connection, run_id):
        connection.execute(text("SELECT setseed(0.5)"))
        connection.execute(
            text(
                "INSERT INTO observation_statistics SELECT :run, position, 1 + (random() * 99)::int, (random() * 2)::int, 2, "
                "1, 1, 1 FROM generate_series(0, :count - 1) AS position"
            ),
            {"run": run_id, "count": observations},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM ANALYZE observation_statistics_r{run_id}"))
        connection.execute(text("CHECKPOINT"))


def build_ring(engine: Engine, run_id: int, observations: int) -> AdaStarSampler:
    with engine.connect() as connection:
        stored = read_statistics(connection, run_id)
    return AdaStarSampler(stored, tiebreak_ranks(0, observations), power=2)


def ring_step(
    sampler: AdaStarSampler, lease: Lease, iteration: int, m: int, observations: int
) -> tuple[float, float]:
    """Return the milliseconds of selecting m observations, and of stamping them with commit."""
    prepare_iteration(lease, iteration, observations)
    started = time.perf_counter()
    positions = list(itertools.islice(sampler.order(iteration), m))
    selected = time.perf_counter()
    visits = [
        Visit(position, 2, position % 3, (1,) * (position % 2), first_try=True) for position in positions
    ]
    made = time.perf_counter()
    stamped = sampler.observe(iteration, visits, ALPHA)
    with lease.transaction() as connection:
        advance(connection, lease.run_id, iteration, visits, alpha=ALPHA, stamped=stamped, seconds=1.0)
    return (selected - started) * 1e3, (time.perf_counter() - made) * 1e3


Heap = list[tuple[int, float, str]]
Built = TypeVar("Built")


def build_heap(history: Statistics) -> Heap:
    """Return the reference's heap: (last iteration, win rate, id as a string)."""
    rates = history.win_rate().tolist()
    heap = [(last, rates[i], f"id_{i}") for i, last in enumerate(history.last_iteration.tolist())]
    heapq.heapify(heap)
    return heap


def heap_step(heap: Heap, iteration: int, m: int) -> float:
    """Return the milliseconds of one iteration the reference's way: copy, drain, then pop and push u of them."""
    started = time.perf_counter()
    drained = copy.copy(heap)
    order = [heapq.heappop(drained)[2] for _ in range(len(drained))]
    visits = order[:m]
    for _ in visits[: int(m * ALPHA**2)]:
        _, _, name = heapq.heappop(heap)
        heapq.heappush(heap, (iteration, int(name[3:]) % 3 / 2, name))
    return (time.perf_counter() - started) * 1e3


def measured(build: Callable[[], Built]) -> tuple[float, float, Built]:
    """Return how much memory what is built takes (MB), the time it takes (ms), and it."""
    gc.collect()
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    built = build()
    milliseconds = (time.perf_counter() - started) * 1e3
    gc.collect()
    return (psutil.Process().memory_info().rss - before) / 2**20, milliseconds, built


if __name__ == "__main__":
    run(main, __doc__)
