"""Highest variance first: p (1 - p) of the last win rate, with retests of what was solved or failed.

A success rate of one half teaches most; rates of 0 and 1 have no variance and would never come back. So they are
retested once they have waited long enough (compare Prioritized Replay, arXiv 2601.02648).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.samplers.sorted import Key, SortedSampler
from adastar_core.settings import setting


class VarianceSettings(BaseSamplerSettings):
    """Observations whose success is least certain first."""

    type: Literal["variance"] = "variance"
    retest_solved: int = setting(
        4, "Retest solved", "Iterations until an observation that was always right is tried again.", ge=1
    )
    retest_failed: int = setting(
        2, "Retest failed", "Iterations until an observation that was never right is tried again.", ge=1
    )

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "VarianceSampler":
        return VarianceSampler(statistics, seed, self)


class VarianceSampler(SortedSampler):
    """New observations and those due for a retest first, then by falling p (1 - p), then the least recent."""

    def __init__(self, statistics: Statistics, seed: int, settings: VarianceSettings) -> None:
        super().__init__(statistics, seed)
        self._settings = settings

    def keys(self, iteration: int) -> tuple[Key, ...]:
        p, last, settings = self.statistics.win_rate(), self.statistics.last_iteration, self._settings
        patience = np.select([p == 0, p == 1], [settings.retest_failed, settings.retest_solved], 0)
        due = (last == 0) | ((patience > 0) & (iteration - last >= patience))
        return ~due, -p * (1 - p), last
