"""Random order with the same lazy stop: the control that separates the order from the stop."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.samplers.sorted import Key, SortedSampler


class RandomSettings(BaseSamplerSettings):
    """Random order, a new one in each iteration."""

    type: Literal["random"] = "random"

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "RandomSampler":
        return RandomSampler(statistics, seed)


class RandomSampler(SortedSampler):
    """A new permutation each iteration, that of the stream ``("order", t)``; statistics are only recorded."""

    def keys(self, iteration: int) -> tuple[Key, ...]:
        count = len(self.statistics.last_iteration)
        permutation = streams.rng(self.seed, "order", iteration).permutation(count)
        return (np.argsort(permutation),)  # each position's place in it
