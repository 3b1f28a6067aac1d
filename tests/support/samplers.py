"""What tests of samplers share: a pool, samplers of it, and what iterations left."""

from collections.abc import Sequence

import numpy as np
from pydantic import TypeAdapter

from adastar_core.records import Observation
from adastar_core.samplers import Sampler, Stamps, Statistics
from adastar_core.samplers.catalogue import AnySamplerSettings, SamplerSettings, open_sampler
from adastar_core.selection import Visit

COUNT = 200
POOL = [Observation(f"id_{number}", "one" + " more" * (number % 8), "1") for number in range(COUNT)]


def parse(values: dict[str, object]) -> AnySamplerSettings:
    return TypeAdapter(SamplerSettings).validate_python(values)


def opened(settings: AnySamplerSettings, statistics: Statistics, past: Sequence[Stamps] = ()) -> Sampler:
    return open_sampler(settings, 3, POOL[: len(statistics.last_iteration)], statistics, lambda: past)


def visits_of(sampler: Sampler, iteration: int, m: int = 60) -> list[Visit]:
    """Visit the first m observations; win rates follow from position and iteration."""
    order = sampler.order(iteration)
    positions = [next(order) for _ in range(m)]
    return [
        Visit(p, 2, (p + iteration) % 3, (1,) if p % 3 else (), first_try=p % 3 == 2, tokens=20 + p % 8)
        for p in positions
    ]


def state(sampler: Sampler) -> Statistics:
    statistics = getattr(sampler, "_own", sampler).statistics  # no part of the protocol
    assert isinstance(statistics, Statistics)
    return statistics.copy()


def statistics_of(last: list[int], correct: list[int], attempts: list[int]) -> Statistics:
    return Statistics(*(np.array(values, dtype=np.int32) for values in (last, correct, attempts)))


def halves(iteration: int, even: int, odd: int, attempts: int) -> Stamps:
    """Every observation stamped, those at even and those at odd positions with so many right attempts."""
    positions = np.arange(COUNT, dtype=np.int32)
    made = np.full(COUNT, attempts, dtype=np.int32)
    return Stamps(iteration, positions, np.where(positions % 2, odd, even), made, made * 10)
