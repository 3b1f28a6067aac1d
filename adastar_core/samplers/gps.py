"""GPS: predict every observation's success rate from its question, and visit those nearest the target first.

After arXiv 2602.01970: one predictor learns from all attempts so far, so observations that were never visited are ranked
too. The predictor here is :mod:`adastar_core.samplers.difficulty`; the paper's is a small network with a latent variable.
Its diversity: observations that the last iteration stamped come after all others.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Floats, Statistics
from adastar_core.samplers.difficulty import Difficulty, features_of
from adastar_core.samplers.fading import FadingSampler
from adastar_core.samplers.sorted import Key
from adastar_core.settings import setting


class GPSSettings(BaseSamplerSettings):
    """Observations whose success rate, predicted from the question, is nearest a target first."""

    type: Literal["gps"] = "gps"
    target: float = setting(0.5, "Target", "Success rate that teaches most.", ge=0, le=1)
    memory: float = setting(
        0.5, "Memory", "Factor of an attempt's weight in each iteration; 1 never forgets.", ge=0, le=1
    )

    @property
    def predicts(self) -> bool:
        return True

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "GPSSampler":
        return GPSSampler(statistics, seed, self)


class GPSSampler(FadingSampler):
    """Order by the distance of the drawn rate from the target; at random while nothing is known.

    The draw of iteration t is stream ``("gps", t)``.
    """

    def __init__(self, statistics: Statistics, seed: int, settings: GPSSettings) -> None:
        super().__init__(statistics, seed, settings.memory)
        self._settings = settings

    def read(self, questions: Sequence[str]) -> None:
        self._difficulty = Difficulty(features_of(questions))

    def keys(self, iteration: int) -> tuple[Key, ...]:
        random = streams.rng(self.seed, "gps", iteration)
        if not self.statistics.last_iteration.any():
            return (random.random(len(self.counts.right)),)
        self._difficulty.fit(self.counts.right, self.counts.wrong)
        newest = self.statistics.last_iteration == self.statistics.last_iteration.max()
        return newest, np.abs(self._difficulty.draw(random) - self._settings.target)

    def predict(self) -> Floats:
        self._difficulty.fit(self.counts.right, self.counts.wrong)
        return self._difficulty.predict()
