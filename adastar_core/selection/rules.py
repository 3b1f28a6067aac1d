"""What one visit to an observation does: which attempts it owes, what it accepts, and when visits end."""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import ClassVar

from adastar_core.selection.luck import Luck


@dataclass(frozen=True, slots=True)
class Judged:
    """One attempt with its verdict: 1-based ``attempt``, whether it was hinted, right, and rejected by the filter.

    ``tokens`` are those of its prompt and its response.
    """

    attempt: int
    hinted: bool
    right: bool
    rejected: bool = False
    tokens: int = 0

    @property
    def accepted(self) -> bool:
        """Whether it enters D+ once its observation is visited."""
        return self.right and not self.rejected


_right = attrgetter("right")

Results = Mapping[int, list[Judged]]
"""The judged attempts of an iteration by position, each list in order of attempt."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Attempts at one observation: at most ``attempts``, until ``wanted`` are right; ``None`` makes them all."""

    attempts: int
    wanted: int | None = None

    def missing(self, judged: Sequence[Judged]) -> range:
        """Return the numbers of the attempts that are owed and can be made now."""
        done = len(judged)
        left = self.attempts - done
        if self.wanted is not None and left > 0:
            left = min(left, self.wanted - sum(map(_right, judged)))
        return range(done + 1, done + 1 + left)


@cache
def _budget(attempts: int, until_correct: bool) -> Budget:
    # Asked for every observation of the pool in every wave, so one object serves all.
    return Budget(attempts, 1 if until_correct else None)


BudgetOf = Callable[[int, Sequence[Judged]], Budget]
"""The budget of the observation at a position, given its attempts so far."""


class Stop(ABC):
    """When an iteration's visits end."""

    summary: ClassVar[str]
    """What an iteration is, to complete "each ..."."""
    by_acceptance: ClassVar[bool]
    """Whether it depends on what is accepted. If not, every attempt is known before the first is made."""

    @abstractmethod
    def reached(self, visits: int, accepted: float, beta: int) -> bool:
        """Return whether no observation is visited after so many visits and accepted rationales."""


class AtBeta(Stop):
    """Algorithm 1: the observation that brings the accepted rationales to beta_t is the last."""

    summary, by_acceptance = "until beta_t rationales are accepted", True

    def reached(self, visits: int, accepted: float, beta: int) -> bool:
        return accepted >= beta


_AT_BETA = AtBeta()


class WholePool(Stop):
    """Visit every observation."""

    summary, by_acceptance = "a pass over the whole pool", False

    def reached(self, visits: int, accepted: float, beta: int) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Rules:
    """What one visit to an observation does, and when visits end.

    Attributes:
        attempts: K.
        until_correct: Stop an observation at its first success.
        rationalize: Whether attempts after the first are hinted.
        cut_off: Largest number of accepted rationales per observation, the first ones; ``None`` accepts every right one.
        budget_of: A sampler's own allocation of attempts, instead of the first two.
        luck: Rejects all rationales of an observation that is right no more often than guessing; ``None`` rejects none.
    """

    attempts: int
    until_correct: bool
    rationalize: bool
    count_hinted_wins: bool
    cut_off: int | None = None
    stop: Stop = _AT_BETA
    budget_of: BudgetOf | None = None
    luck: Luck | None = None

    def missing(self, position: int, judged: Sequence[Judged]) -> range:
        """Return the numbers of the attempts that a visit still owes and that can be made now."""
        if self.budget_of is not None:
            return self.budget_of(position, judged).missing(judged)
        return _budget(self.attempts, self.until_correct).missing(judged)

    def capped(self, right: float) -> float:
        """Return how many of ``right`` rationales of one observation are accepted."""
        return right if self.cut_off is None else min(right, self.cut_off)

    def is_luck(self, position: int, judged: Sequence[Judged]) -> bool:
        """Return whether guessing explains how often an observation is right; only all of its attempts can tell."""
        return self.luck is not None and self.luck.explains(position, sum(map(_right, judged)), len(judged))

    def accepted(self, position: int, judged: Sequence[Judged]) -> tuple[int, ...]:
        """Return the numbers of the attempts that enter D+ once the observation is visited."""
        if self.is_luck(position, judged):
            return ()
        return tuple(attempt.attempt for attempt in judged if attempt.accepted)[: self.cut_off]

    def hinted(self, attempt: int) -> bool:
        return self.rationalize and attempt > 1

    def visits(self, pool: int, accepted_each: float, beta: int) -> int:
        """Return how many of ``pool`` observations are visited if each gives so many accepted rationales."""
        return bisect_left(
            range(pool), True, key=lambda visits: self.stop.reached(visits, visits * accepted_each, beta)
        )

    def accepted_at_most(self, pool: int, beta: int) -> int:
        """Return the most rationales that an iteration accepts."""
        each = int(self.capped(1 if self.until_correct else self.attempts))
        if self.stop.by_acceptance:
            return min(pool * each, beta - 1 + each)  # one short of beta_t, the last visit brings all it can
        return self.visits(pool, each, beta) * each
