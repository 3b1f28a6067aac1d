"""Random order with the same lazy stop: the control that separates the order from the stop."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.selection import Visit


class RandomSettings(BaseSamplerSettings):
    """Random order, a new one in each iteration."""

    type: Literal["random"] = "random"

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "RandomSampler":
        return RandomSampler(statistics, seed)


class RandomSampler:
    """A fresh seeded permutation each iteration; statistics are kept for the record alone.

    Args:
        statistics: Where to start from; copied.
        seed: The run's seed; the permutation of iteration t is its stream ``("order", t)``.
    """

    def __init__(self, statistics: Statistics, seed: int) -> None:
        self.statistics = statistics.copy()
        self._seed = seed

    def order(self, iteration: int) -> Iterator[int]:
        """Yield all positions in the iteration's own random order."""
        count = len(self.statistics.last_iteration)
        yield from streams.rng(self._seed, "order", iteration).permutation(count).tolist()

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        """Stamp every visit: the order does not look at stamps, so there is nothing to hold back."""
        self.statistics.stamp(iteration, visits)
        return len(visits)
