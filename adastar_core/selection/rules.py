"""What one visit to an observation does: which attempts it owes, what it accepts, and when visits end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import attrgetter


@dataclass(frozen=True, slots=True)
class Judged:
    """One attempt with its verdict: 1-based ``attempt``, whether it was hinted, right, and rejected by the filter."""

    attempt: int
    hinted: bool
    right: bool
    rejected: bool = False

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
    return Budget(attempts, 1 if until_correct else None)


BudgetOf = Callable[[int, Sequence[Judged]], Budget]
"""The budget of the observation at a position, given its attempts so far."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one visit to an observation does, and when visits end.

    Attributes:
        attempts: K.
        until_correct: Stop an observation at its first success.
        rationalize: Whether attempts after the first are hinted.
        count_hinted_wins: Whether a hinted success counts in the win rate.
        cut_off: Accepted rationales per observation at most, the first ones; ``None`` accepts every right one.
        full_pass: Visit every observation instead of stopping at beta_t.
        budget_of: A sampler's own allocation of attempts, instead of the first two.
    """

    attempts: int
    until_correct: bool
    rationalize: bool
    count_hinted_wins: bool
    cut_off: int | None = None
    full_pass: bool = False
    budget_of: BudgetOf | None = None

    def missing(self, position: int, judged: Sequence[Judged]) -> range:
        """Return the numbers of the attempts that a visit still owes and that can be made now."""
        if self.budget_of is not None:
            return self.budget_of(position, judged).missing(judged)
        return _budget(self.attempts, self.until_correct).missing(judged)

    def capped(self, right: float) -> float:
        """Return how many of ``right`` rationales of one observation are accepted."""
        return right if self.cut_off is None else min(right, self.cut_off)

    def enough(self, accepted: float, beta: int) -> bool:
        """Return whether visits end at ``accepted`` rationales."""
        return not self.full_pass and accepted >= beta

    def hinted(self, attempt: int) -> bool:
        """Return whether the attempt of this number is shown the answer."""
        return self.rationalize and attempt > 1
