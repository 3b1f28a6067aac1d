"""Frontier: observations at random, each as likely as the learning per unit of compute that is expected of it.

An attempt at an observation that the model solves with probability p teaches p(1-p): it must be right to be trained on, and
what is always right is known. After n attempts at an observation, one more adds 1/sqrt(1 + n) of that (novelty). Its cost, in the
model's passes over tokens: 2 for each token read or generated, 6 for each one trained on, which happens with probability p.
So a rate of 1/3 is the best, not 1/2, and of two equally uncertain observations the shorter is the better.

Success and length are predicted from the question (:mod:`adastar_core.samplers.difficulty`), and an observation's own
attempts count beside the prediction. Hopeless and mislabelled ones become rare by themselves. The order is drawn, not sorted:
the best alone are all of one kind, and a model that trains on one kind forgets the others. A share of the places goes to the
least recently stamped, which is AdaSTaR's order, so that nothing waits for ever and a wrong prediction is found out.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Floats, Statistics
from adastar_core.samplers.difficulty import Difficulty, features_of, predicted_lengths
from adastar_core.samplers.fading import FadingSampler
from adastar_core.samplers.sorted import Key, mixed, ranks
from adastar_core.settings import setting

_PREDICTION_WEIGHT = 2.0
"""Attempts that the prediction from the question counts for, beside an observation's own."""


class FrontierSettings(BaseSamplerSettings):
    """More of what teaches more per compute, by success and length predicted from the question."""

    type: Literal["frontier"] = "frontier"
    memory: float = setting(
        0.5, "Memory", "Factor of an attempt's weight in each iteration; 1 never forgets.", ge=0, le=1
    )
    recent: float = setting(
        0.1, "Least recent", "Share of the places that go to the least recently stamped.", gt=0, lt=1
    )

    @property
    def predicts(self) -> bool:
        return True

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "FrontierSampler":
        return FrontierSampler(statistics, seed, self)


class FrontierSampler(FadingSampler):
    """Draw the order by expected learning per compute, from the stream ``("frontier", t)``; evenly while nothing is known."""

    def __init__(self, statistics: Statistics, seed: int, settings: FrontierSettings) -> None:
        super().__init__(statistics, seed, settings.memory)
        self._settings = settings

    def read(self, questions: Sequence[str]) -> None:
        self._features = features_of(questions)
        self._difficulty = Difficulty(self._features)

    def keys(self, iteration: int) -> tuple[Key, ...]:
        random = streams.rng(self.seed, "frontier", iteration)
        noise = random.gumbel(size=len(self.right))
        last = self.statistics.last_iteration
        if not last.any():
            return (noise,)
        rate = self.predict()
        value = rate * (1 - rate) / np.sqrt(1 + self.right + self.wrong) / self._cost(rate)
        drawn = (
            np.log(np.maximum(value, 1e-9)) + noise
        )  # the order of draws without replacement, by these weights
        return (mixed(ranks(-drawn), ranks(last, noise), self._settings.recent),)

    def predict(self) -> Floats:
        """Return each observation's success rate, from the question and from its own attempts."""
        self._difficulty.fit(self.right, self.wrong)
        predicted = _PREDICTION_WEIGHT * self._difficulty.predict()
        return (predicted + self.right) / (_PREDICTION_WEIGHT + self.right + self.wrong)

    def _cost(self, rate: Floats) -> Floats:
        """Return the passes over tokens that an attempt takes, with training on it if it is right."""
        tokens = predicted_lengths(self._features, self.tokens, self.right + self.wrong)
        return tokens * (2 + 6 * rate)
