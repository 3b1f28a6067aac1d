"""AdaSTaR's order: least recently stamped first, then least successful, then the tie-break.

Source: AdaSTaR (arXiv 2505.16322), Algorithm 1; section "The order costs O(m log m)" of the design.

A stamped observation gets the current iteration, larger than every stored one, so the priority queue is a
first-in-first-out sequence of generations, each sorted by win rate. It is kept as a ring over one array:
stamping u observations takes them off the head and appends them, sorted among themselves, at the tail, in
the very slots that they left. The ring is rebuilt from the statistics, which are the truth.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Statistics
from adastar_core.selection import Rounding, Visit, stamp_count
from adastar_core.settings import setting

_PAGE = 4096
Ranks = npt.NDArray[np.uint64] | npt.NDArray[np.int64]


class AdaStarSettings(BaseSamplerSettings):
    """AdaSTaR: least recently, then least successfully sampled observations first."""

    type: Literal["adastar"] = "adastar"
    power: float = setting(
        2.0, "Power", "Exponent p of u = floor(m * alpha^p); 0 stamps every visit (AdaD).", ge=0
    )
    tiebreak: Literal["seeded", "official"] = setting(
        "seeded",
        "Tie-break",
        "Order among equals: a seeded permutation, or ids sorted as strings as in the official code.",
    )
    rounding: Rounding = setting(
        "floor", "Rounding", "How u becomes a whole number: floor as printed, round as in the official code."
    )
    win_rate: bool = setting(
        True, "Use the win rate", "Whether it orders equally recent observations; off is an ablation."
    )

    @property
    def begins_at_random(self) -> bool:
        return self.tiebreak == "seeded"

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "AdaStarSampler":
        seeded = self.tiebreak == "seeded"
        ranks = (
            streams.tiebreak_ranks(seed, len(observation_ids)) if seeded else string_ranks(observation_ids)
        )
        return AdaStarSampler(
            statistics, ranks, self.power, by_win_rate=self.win_rate, rounding=self.rounding
        )


class AdaStarSampler:
    """Adaptive sampling for diversity (AdaD) and, with ``power`` > 0, for curriculum (AdaC).

    Args:
        statistics: Where to start from; copied.
        tiebreak: Unique rank of every observation among equals, shape (N,).
        power: The exponent p of u = floor(m * alpha^p).
        by_win_rate: Whether the win rate decides within a generation; False is the paper's ablation.
    """

    def __init__(
        self,
        statistics: Statistics,
        tiebreak: Ranks,
        power: float,
        *,
        by_win_rate: bool = True,
        rounding: Rounding = "floor",
    ) -> None:
        self.statistics = statistics.copy()
        self._tiebreak, self._power = tiebreak, power
        self._by_win_rate, self._rounding = by_win_rate, rounding
        self._head = 0
        self._newest = int(statistics.last_iteration.max(initial=0))
        keys = (tiebreak, self._success(np.arange(len(tiebreak))), statistics.last_iteration)
        self._ring = np.lexsort(keys).astype(np.int32)

    def order(self, iteration: int) -> Iterator[int]:
        # In pages: an iteration visits a fraction of the pool, and only that fraction becomes Python integers.
        size = len(self._ring)
        for start in range(0, size, _PAGE):
            places = np.arange(self._head + start, self._head + min(start + _PAGE, size))
            yield from self._ring.take(places, mode="wrap").tolist()

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        """Stamp the first floor(m * alpha^p) visits and move them to the tail in O(u log u).

        Raises:
            ValueError: The iteration was observed before, or the visits are not the head of the order.
        """
        if iteration <= self._newest:
            raise ValueError(f"iteration {iteration} is not after the last observed one, {self._newest}")
        stamped = visits[: stamp_count(len(visits), alpha, self._power, self._rounding)]
        size = max(len(self._ring), 1)
        places = np.arange(self._head, self._head + len(stamped)) % size
        positions = np.array([visit.position for visit in stamped], dtype=np.int64)
        if not np.array_equal(self._ring[places], positions):
            raise ValueError("the visits are not the head of the order")
        self.statistics.stamp(iteration, stamped)
        # All got the largest last iteration, so they belong at the tail. The head moves past their slots, which makes
        # those very slots the tail: only the order among themselves has to be found.
        self._ring[places] = positions[np.lexsort((self._tiebreak[positions], self._success(positions)))]
        self._head = (self._head + len(stamped)) % size
        self._newest = iteration
        return len(stamped)

    def _success(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return what orders observations of one generation: their win rates, or nothing."""
        if not self._by_win_rate:
            return np.zeros(len(positions))
        return self.statistics.correct[positions] / np.maximum(self.statistics.attempts[positions], 1)


def string_ranks(observation_ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return each id's place when ids are sorted as strings, as the official code breaks ties."""
    ranks = np.empty(len(observation_ids), dtype=np.int64)
    ranks[np.argsort(np.array(observation_ids, dtype=object), kind="stable")] = np.arange(len(ranks))
    return ranks
