"""The base of sorted samplers that weigh every attempt of a run, older ones less, because the model changes."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from adastar_core.samplers import Stamps, Statistics
from adastar_core.samplers.sorted import SortedSampler
from adastar_core.selection import Visit


class FadingSampler(SortedSampler):
    """Counts right and wrong attempts, each times ``memory`` to the power of its age in iterations.

    Attributes:
        right: Weighted right attempts by position, shape (N,).
        wrong: The others.
        tokens: Weighted tokens of prompts and responses of all attempts.
    """

    def __init__(self, statistics: Statistics, seed: int, memory: float) -> None:
        super().__init__(statistics, seed)
        self.right, self.wrong, self.tokens = np.zeros((3, len(statistics.last_iteration)))
        self._memory, self._recalled = memory, 0

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        stamped = super().observe(iteration, visits, alpha)
        self.recall(Stamps.of(iteration, visits[:stamped]))
        return stamped

    def recall(self, stamps: Stamps) -> None:
        fading = self._memory ** (stamps.iteration - self._recalled)
        for counted, added in (
            (self.right, stamps.correct),
            (self.wrong, stamps.attempts - stamps.correct),
            (self.tokens, stamps.tokens),
        ):
            counted *= fading
            counted[stamps.positions] += added
        self._recalled = stamps.iteration
