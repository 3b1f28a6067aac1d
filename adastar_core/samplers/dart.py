"""Difficulty-aware allocation: attempts until each observation has its number of right ones (DART, arXiv 2407.13690).

*Uniform* wants the same number of every observation. *Prop2Diff* wants a number proportional to the difficulty, the
share of wrong attempts at the last stamp; new observations count as hardest. Order is random, as without allocation.
"""

from collections.abc import Sequence
from math import ceil
from typing import Literal

from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.samplers.random import RandomSampler
from adastar_core.selection import Budget, Judged
from adastar_core.settings import setting


class DartSettings(BaseSamplerSettings):
    """Random order; hard observations get more attempts."""

    type: Literal["dart"] = "dart"
    target: Literal["uniform", "prop2diff"] = setting(
        "uniform", "Target", "Right attempts wanted: the same of each, or in proportion to the difficulty."
    )
    wanted: int = setting(
        3, "Right attempts", "How many are wanted for each observation, or for the hardest.", ge=1
    )
    attempts: int = setting(12, "Most attempts", "Largest number of attempts per observation.", ge=1)

    @property
    def most_attempts(self) -> int:
        return self.attempts

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "DartSampler":
        return DartSampler(statistics, seed, self)


class DartSampler(RandomSampler):
    """Random order with a budget that follows the difficulty."""

    def __init__(self, statistics: Statistics, seed: int, settings: DartSettings) -> None:
        super().__init__(statistics, seed)
        self._settings = settings

    def budget(self, position: int, judged: Sequence[Judged]) -> Budget:
        wanted, attempts = self._settings.wanted, int(self.statistics.attempts[position])
        if self._settings.target == "prop2diff" and attempts:
            wrong = attempts - int(self.statistics.correct[position])
            wanted = max(1, ceil(wanted * wrong / attempts))
        return Budget(self._settings.attempts, wanted)
