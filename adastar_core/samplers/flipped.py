"""AdaSTaR with the priority flipped (AdaSTaR-PF): least successful first, then least recently stamped.

An ablation of the paper (section 4.3). The win rate outweighs the recency, so what is never solved comes first again
and again.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.samplers.sorted import Key, SortedSampler
from adastar_core.selection import stamp_count
from adastar_core.settings import setting


class FlippedSettings(BaseSamplerSettings):
    """AdaSTaR with the priority flipped: least successful, then least recently sampled first."""

    type: Literal["flipped"] = "flipped"
    power: float = setting(2.0, "Power", "Exponent p of u = floor(m * alpha^p).", ge=0)

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "FlippedSampler":
        return FlippedSampler(statistics, seed, self.power)


class FlippedSampler(SortedSampler):
    """Order by (win_rate, last_iteration, tiebreak), with AdaSTaR's curriculum: u = floor(m * alpha^p)."""

    def __init__(self, statistics: Statistics, seed: int, power: float) -> None:
        super().__init__(statistics, seed)
        self._power = power

    def keys(self, iteration: int) -> tuple[Key, ...]:
        return self.statistics.win_rate(), self.statistics.last_iteration

    def stamps(self, m: int, alpha: Fraction | float) -> int:
        return stamp_count(m, alpha, self._power)
