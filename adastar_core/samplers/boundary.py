"""Boundary reallocation: a few attempts tell easy, boundary and hard observations apart; the rest go to the boundary.

After HS-STaR (arXiv 2505.19866), by accuracy alone: without its process reward model, and with a fixed number of
attempts for each boundary observation, so that a visit depends on no other.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import model_validator

from adastar_core.samplers import Statistics
from adastar_core.samplers.random import RandomSampler
from adastar_core.selection import Budget, Judged
from adastar_core.settings import Settings, setting


class BoundarySettings(Settings):
    """Random order; observations at the boundary of what the model can do get more attempts."""

    type: Literal["boundary"] = "boundary"
    first: int = setting(2, 0, "First attempts", "Attempts that classify an observation.", ge=1)
    attempts: int = setting(6, 1, "Boundary attempts", "Attempts at a boundary observation, first ones included.", ge=1)  # fmt: skip
    low: float = setting(0.15, 2, "Lowest", "Lowest pass rate of the boundary.", ge=0, le=1)
    high: float = setting(0.65, 3, "Highest", "Highest pass rate of the boundary.", ge=0, le=1)

    @model_validator(mode="after")
    def _adds_attempts(self) -> "BoundarySettings":
        if self.attempts < self.first or self.low > self.high:
            raise ValueError(
                f"attempts ({self.attempts}) must be at least first ({self.first}), and high ({self.high}) at least "
                f"low ({self.low})"
            )
        return self


class BoundarySampler(RandomSampler):
    """Random order with a budget that follows the first attempts' pass rate."""

    def __init__(self, statistics: Statistics, seed: int, settings: BoundarySettings) -> None:
        super().__init__(statistics, seed)
        self._settings = settings

    def budget(self, position: int, judged: Sequence[Judged]) -> Budget:  # noqa: ARG002 (the attempts decide)
        """Return the first attempts alone, or more of them where their pass rate lies at the boundary."""
        settings = self._settings
        if len(judged) < settings.first:
            return Budget(settings.first)
        right = sum(one.right for one in judged[: settings.first]) / settings.first
        return Budget(settings.attempts if settings.low <= right <= settings.high else settings.first)
