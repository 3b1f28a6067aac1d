"""Learnability: the highest p (1 - p) first, p being the share of right attempts so far; a share of the places covers the pool.

Source: Rutherford et al. 2024, "No regrets: investigating and improving regret approximations for curriculum discovery"
(arXiv 2408.15099), "sampling for learnability": what is solved sometimes, but not always, teaches most. There p comes from
many rollouts at random levels, made for this alone, and training mixes the best with random ones. Here p comes from the attempts
that were made anyway, older ones less, and the mixture's other part is the least recently visited.
:mod:`adastar_core.samplers.variance` takes p from the last visit alone, and puts all that is new first.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.samplers.fading import FadingSampler
from adastar_core.samplers.sorted import Key, mixed, ranks
from adastar_core.settings import setting


class LearnabilitySettings(BaseSamplerSettings):
    """Observations that are solved sometimes, but not always, first."""

    type: Literal["learnability"] = "learnability"
    memory: float = setting(
        0.8, "Memory", "Factor of an attempt's weight in each iteration; 1 never forgets.", ge=0, le=1
    )
    cover: float = setting(
        0.5, "Cover", "Share of the places that go to the least recently visited, new ones first.", gt=0, lt=1
    )

    def open(
        self, statistics: Statistics, seed: int, observation_ids: Sequence[str]
    ) -> "LearnabilitySampler":
        return LearnabilitySampler(statistics, seed, self)


class LearnabilitySampler(FadingSampler):
    """Order by falling p (1 - p) and by the last visit, places shared between both; ties by ``("learnability", t)``."""

    def __init__(self, statistics: Statistics, seed: int, settings: LearnabilitySettings) -> None:
        super().__init__(statistics, seed, settings.memory)
        self._cover = settings.cover

    def keys(self, iteration: int) -> tuple[Key, ...]:
        noise = streams.rng(self.seed, "learnability", iteration).random(len(self.counts.right))
        made = self.counts.attempts
        # Rounded, so that equal rates are equal however many iterations have weakened them.
        p: npt.NDArray[np.float64] = np.round(self.counts.right / np.where(made > 0, made, 1), 9)
        return (mixed(ranks(-p * (1 - p), noise), ranks(self.statistics.last_iteration, noise), self._cover),)
