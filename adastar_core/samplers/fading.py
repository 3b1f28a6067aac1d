"""The base of sorted samplers that weigh every attempt of a run, older ones less, because the model changes."""

from dataclasses import dataclass

import numpy as np

from adastar_core.samplers import Floats, Stamps, Statistics
from adastar_core.samplers.sorted import RememberingSampler


@dataclass(frozen=True, slots=True)
class Counts:
    """Right attempts, wrong ones, and the tokens of both by position, each of shape (N,).

    Each attempt counts ``memory`` to the power of its age in iterations; ``iteration`` is the newest of them.
    """

    right: Floats
    wrong: Floats
    tokens: Floats
    memory: float
    iteration: int = 0

    @classmethod
    def none(cls, observations: int, memory: float) -> "Counts":
        right, wrong, tokens = np.zeros((3, observations))
        return cls(right, wrong, tokens, memory)

    @property
    def attempts(self) -> Floats:
        return self.right + self.wrong

    def after(self, stamps: Stamps) -> "Counts":
        """Return the counts once an iteration's stamps are taken in; these stay as they are."""
        fading = self.memory ** (stamps.iteration - self.iteration)
        right, wrong, tokens = (fading * counted for counted in (self.right, self.wrong, self.tokens))
        right[stamps.positions] += stamps.correct
        wrong[stamps.positions] += stamps.attempts - stamps.correct
        tokens[stamps.positions] += stamps.tokens
        return Counts(right, wrong, tokens, self.memory, stamps.iteration)


class FadingSampler(RememberingSampler):
    """Counts every attempt, each times ``memory`` to the power of its age in iterations."""

    def __init__(self, statistics: Statistics, seed: int, memory: float) -> None:
        super().__init__(statistics, seed)
        self.counts = Counts.none(len(statistics.last_iteration), memory)

    def recall(self, stamps: Stamps) -> None:
        self.counts = self.counts.after(stamps)
