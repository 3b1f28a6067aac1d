"""The base of sorted samplers that weigh every attempt of a run, older ones less, because the model changes."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from adastar_core.samplers import Floats, Stamps, Statistics
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
        self.right, self.wrong, self.tokens = self.counts_with(stamps)
        self._recalled = stamps.iteration

    def counts_with(self, stamps: Stamps) -> tuple[Floats, Floats, Floats]:
        """Return what ``right``, ``wrong`` and ``tokens`` are once these stamps are recalled."""
        fading = self._memory ** (stamps.iteration - self._recalled)
        right, wrong, tokens = (fading * counted for counted in (self.right, self.wrong, self.tokens))
        right[stamps.positions] += stamps.correct
        wrong[stamps.positions] += stamps.attempts - stamps.correct
        tokens[stamps.positions] += stamps.tokens
        return right, wrong, tokens
