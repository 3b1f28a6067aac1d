"""Boundary reallocation: attempts that easy and hard observations leave are spent at the boundary between them.

After HS-STaR (arXiv 2505.19866), by accuracy alone, without its reward model: a few first attempts at every observation
tell easy, boundary and hard ones apart, and the rest of a budget of K attempts per observation goes to the boundary. The
share of boundary observations is that of the last iteration: a visit must not depend on other visits of its iteration.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
from pydantic import model_validator

from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.samplers.random import RandomSampler
from adastar_core.selection import Budget, Judged, Visit
from adastar_core.settings import setting


class BoundarySettings(BaseSamplerSettings):
    """Random order; observations at the boundary of what the model can do get the attempts that others do not use."""

    type: Literal["boundary"] = "boundary"
    first: int = setting(2, "First attempts", "Attempts that classify an observation.", ge=1)
    attempts: int = setting(4, "Attempts (K)", "Attempts per observation on average.", ge=2)
    most: int = setting(12, "Most attempts", "Largest number of attempts per observation.", ge=2)
    low: float = setting(0.15, "Lowest", "Lowest pass rate of the boundary.", ge=0, le=1)
    high: float = setting(0.65, "Highest", "Highest pass rate of the boundary.", ge=0, le=1)

    @model_validator(mode="after")
    def _leaves_attempts(self) -> "BoundarySettings":
        if not self.first < self.attempts <= self.most:
            raise ValueError(
                f"attempts ({self.attempts}) must exceed first ({self.first}), or nothing is left for the boundary, and must "
                f"not exceed most ({self.most})"
            )
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) must not exceed high ({self.high})")
        return self

    @property
    def most_attempts(self) -> int:
        return self.most

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "BoundarySampler":
        return BoundarySampler(statistics, seed, self)


class BoundarySampler(RandomSampler):
    """Random order with a budget that follows the first attempts' pass rate."""

    def __init__(self, statistics: Statistics, seed: int, settings: BoundarySettings) -> None:
        super().__init__(statistics, seed)
        self._settings = settings
        self._at_boundary = self._reallocated()

    def budget(self, position: int, judged: Sequence[Judged]) -> Budget:
        settings = self._settings
        if len(judged) < settings.first:
            return Budget(settings.first)
        right = sum(attempt.right for attempt in judged[: settings.first]) / settings.first
        return Budget(self._at_boundary if settings.low <= right <= settings.high else settings.first)

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        stamped = super().observe(iteration, visits, alpha)
        self._at_boundary = self._reallocated()
        return stamped

    def _reallocated(self) -> int:
        """Return the attempts at a boundary observation so that visits have K each on average."""
        settings, statistics = self._settings, self.statistics
        newest = int(statistics.last_iteration.max(initial=0))
        if newest == 0:
            return settings.attempts
        attempts = statistics.attempts[statistics.last_iteration == newest]
        at_boundary = int(np.count_nonzero(attempts > settings.first))
        spare = (settings.attempts - settings.first) * len(attempts)
        return min(settings.most, settings.first + spare // max(at_boundary, 1))
