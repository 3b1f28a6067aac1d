"""An order that knows what no order can: how often the model solves additions of each length, from the first iteration on.

It chooses by the measure of ``frontier``, expected learning per unit of compute, and so shows how much of what that measure can
give a method takes. The first rates are ``tiny-adder``'s, sampled at temperature 0.7; later ones are what all attempts
at a length have shown in the last iterations. Not for use: on your data nobody tells the rates.

Run it:  python flows/adastar.py --preset arithmetic-ladder --set sampler.type=custom --set sampler.path=bench/oracle.py:Oracle \
           --set evaluation.test_every_iteration=true --set seed=1
"""

from collections.abc import Sequence

import numpy as np

from adastar_core import streams
from adastar_core.samplers import Floats, Statistics
from adastar_core.samplers.fading import FadingSampler
from adastar_core.samplers.sorted import Key, mixed, ranks

BASE = np.array([0.75, 0.63, 0.39, 0.19, 0.07, 0.005, 0, 0, 0, 0, 0, 0])
"""Share of first attempts right, by number of digits less one: 6,827 attempts of one iteration."""
TOKENS = np.array([20, 33, 45, 57, 69, 81, 82, 84, 86, 88, 89, 88])
"""Tokens read and generated in an attempt."""
RECENT = 0.1
"""As frontier's: the share of the places that go to the least recently stamped."""


class Oracle(FadingSampler):
    """Draws the order as ``frontier`` does, with each length's rate instead of one predicted from the question."""

    def __init__(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> None:  # noqa: ARG002
        super().__init__(statistics, seed, memory=0.5)

    def read(self, questions: Sequence[str]) -> None:
        self._lengths = np.array([max(map(len, question.split("+"))) for question in questions]) - 1

    def keys(self, iteration: int) -> tuple[Key, ...]:
        random = streams.rng(self.seed, "oracle", iteration)
        noise = random.gumbel(size=len(self.right))
        rate = self._rates()[self._lengths]
        attempts = self.right + self.wrong
        value = rate * (1 - rate) / np.sqrt(1 + attempts) / (TOKENS[self._lengths] * (2 + 6 * rate))
        drawn = np.log(np.maximum(value, 1e-9)) + noise
        return (mixed(ranks(-drawn), ranks(self.statistics.last_iteration, noise), RECENT),)

    def _rates(self) -> Floats:
        """Return each length's rate, where the base model's counts as much as ten attempts."""
        right, wrong = (np.bincount(self._lengths, count, len(BASE)) for count in (self.right, self.wrong))
        return np.asarray((10 * BASE + right) / (10 + right + wrong))
