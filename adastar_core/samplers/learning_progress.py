"""Learning progress: the largest change of the win rate between the last two visits first; a share of the places explores.

Source: Matiisen et al. 2017, "Teacher-student curriculum learning" (arXiv 1707.00183): practise what changes fastest. The
change counts either way, because what is being forgotten must be practised too. Their tasks are few, and each is scored often;
here each observation is a task, so a change is coarse: with one attempt a win rate is 0 or 1. Before its first visit it
counts as 0. Their exploration, a chance epsilon of any task, is a share of the places, new observations first.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Stamps, Statistics
from adastar_core.samplers.sorted import Key, RememberingSampler, mixed, ranks
from adastar_core.settings import setting


class LearningProgressSettings(BaseSamplerSettings):
    """Observations whose win rate changed most between their last two visits first."""

    type: Literal["learning-progress"] = "learning-progress"
    explore: float = setting(
        0.2,
        "Explore",
        "Share of the places that go to the least recently visited, new ones first.",
        gt=0,
        lt=1,
    )

    def open(
        self, statistics: Statistics, seed: int, observation_ids: Sequence[str]
    ) -> "LearningProgressSampler":
        return LearningProgressSampler(statistics, seed, self)


class LearningProgressSampler(RememberingSampler):
    """Order by falling change and by the last visit, places shared between both; ties by ``("learning progress", t)``."""

    def __init__(self, statistics: Statistics, seed: int, settings: LearningProgressSettings) -> None:
        super().__init__(statistics, seed)
        self._explore = settings.explore
        self._rate, self._change = np.zeros((2, len(statistics.last_iteration)))

    def keys(self, iteration: int) -> tuple[Key, ...]:
        noise = streams.rng(self.seed, "learning progress", iteration).random(len(self._rate))
        by_change, by_age = ranks(-self._change, noise), ranks(self.statistics.last_iteration, noise)
        return (mixed(by_change, by_age, self._explore),)

    def recall(self, stamps: Stamps) -> None:
        rate = stamps.correct / stamps.attempts
        self._change[stamps.positions] = np.abs(rate - self._rate[stamps.positions])
        self._rate[stamps.positions] = rate
