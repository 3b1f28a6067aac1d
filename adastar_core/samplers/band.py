"""A band filter: observations whose last pass rate lies within a band first (compare arXiv 2504.03380)."""

from collections.abc import Sequence
from typing import Literal

from pydantic import model_validator

from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.samplers.sorted import Key, SortedSampler
from adastar_core.settings import setting


class BandSettings(BaseSamplerSettings):
    """Observations that are neither too easy nor too hard first."""

    type: Literal["band"] = "band"
    low: float = setting(0.2, "Lowest", "Lowest pass rate of the band.", ge=0, le=1)
    high: float = setting(0.8, "Highest", "Highest pass rate of the band.", ge=0, le=1)

    @model_validator(mode="after")
    def _is_a_band(self) -> "BandSettings":
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) must not exceed high ({self.high})")
        return self

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "BandSampler":
        return BandSampler(statistics, seed, self)


class BandSampler(SortedSampler):
    """New observations and those within the band first, the least recent first; then all others likewise."""

    def __init__(self, statistics: Statistics, seed: int, settings: BandSettings) -> None:
        super().__init__(statistics, seed)
        self._settings = settings

    def keys(self, iteration: int) -> tuple[Key, ...]:
        p, last = self.statistics.win_rate(), self.statistics.last_iteration
        inside = (last == 0) | ((p >= self._settings.low) & (p <= self._settings.high))
        return ~inside, last
