"""The base of samplers whose order is a sort by keys that follow from the statistics: O(N log N) per iteration."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from adastar_core import streams
from adastar_core.samplers import Stamps, Statistics
from adastar_core.selection import Visit

Key = npt.NDArray[np.float64] | npt.NDArray[np.int64] | npt.NDArray[np.int32] | npt.NDArray[np.bool_]


class SortedSampler(ABC):
    """Visits observations by :meth:`keys`, lowest first, then by the seeded tie-break; stamps every visit.

    It starts from a copy of the statistics; the run's seed names the tie-break and any random key.
    """

    def __init__(self, statistics: Statistics, seed: int) -> None:
        self.statistics = statistics.copy()
        self.seed = seed
        self._sorted: tuple[int, list[int]] | None = None

    @abstractmethod
    def keys(self, iteration: int) -> tuple[Key, ...]:
        """Return the sort keys of an iteration, most significant first, each of shape (N,)."""

    def order(self, iteration: int) -> Iterator[int]:
        # Every wave of an iteration asks for the order, and within an iteration it does not change.
        if self._sorted is None or self._sorted[0] != iteration:
            tiebreak = streams.tiebreak_ranks(self.seed, len(self.statistics.last_iteration))
            keys = (tiebreak, *reversed(self.keys(iteration)))  # lexsort's last key is the most significant
            self._sorted = (iteration, np.lexsort(keys).tolist())
        yield from self._sorted[1]

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        stamped = visits[: self.stamps(len(visits), alpha)]
        self.statistics.stamp(iteration, stamped)
        self._sorted = None
        return len(stamped)

    def stamps(self, m: int, alpha: Fraction | float) -> int:
        """Return u, how many of the m visits are stamped; all, unless a sampler has a curriculum."""
        return m


class RememberingSampler(SortedSampler):
    """A sorted sampler whose order follows from every stamp of a run: what an iteration stamped is recalled at once."""

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        stamped = super().observe(iteration, visits, alpha)
        self.recall(Stamps.of(iteration, visits[:stamped]))
        return stamped

    @abstractmethod
    def recall(self, stamps: Stamps) -> None: ...


def ranks(*keys: Key) -> npt.NDArray[np.float64]:
    """Return each observation's place, from 1, when sorted by ``keys``, most significant first."""
    found = np.empty(len(keys[0]))
    found[np.lexsort(keys[::-1])] = np.arange(1, len(found) + 1)
    return found


def mixed(
    first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], share: float
) -> npt.NDArray[np.float64]:
    """Return a key that follows two rankings at once: ``share`` of the places go to the second one."""
    return np.minimum(first / (1 - share), second / share)  # each stretched by what it gets
