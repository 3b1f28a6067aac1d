"""Which attempts an iteration makes next, what it accepts, and how far it stamps. Pure functions.

Source: Algorithm 1 of the AdaSTaR paper. Observations are visited in the sampler's order until beta_t
rationales are accepted. Generation runs ahead of that walk in batches, so an iteration is planned from
the verdicts so far, and closed by replaying the walk over all verdicts: what lies beyond the stopping
observation is surplus and changes nothing, whatever the batch size was.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from adastar_core.config import RunConfig


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
_accepted = attrgetter("accepted")

Results = Mapping[int, list[Judged]]
"""The judged attempts of an iteration by position, each list in order of attempt."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One attempt that is to be generated."""

    position: int
    attempt: int
    hinted: bool


Rounding = Literal["floor", "round"]


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

    @classmethod
    def of(cls, config: "RunConfig") -> "Rules":
        """Return the rules that a configuration asks for."""
        return cls(
            attempts=config.attempts,
            until_correct=config.attempt_mode == "until_correct",
            rationalize=config.rationalize,
            count_hinted_wins=config.count_hinted_wins,
            cut_off=config.cut_off,
            full_pass=config.schedule.visit == "all",
        )

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


@dataclass(frozen=True, slots=True)
class Visit:
    """One observation's part in an iteration.

    Attributes:
        position: The observation's place in the dataset.
        attempts: Attempts that count.
        correct: Correct attempts that count in the win rate.
        accepted: Numbers of the attempts that entered D+.
        first_try: Whether the first, unhinted attempt was right.
    """

    position: int
    attempts: int
    correct: int
    accepted: tuple[int, ...]
    first_try: bool

    @property
    def win_rate(self) -> float:
        """Return w_i, correct attempts / attempts."""
        return self.correct / self.attempts


@dataclass(frozen=True, slots=True)
class Selection:
    """A closed iteration: the visits in order (m of them) and whether the pool ran out."""

    visits: tuple[Visit, ...]
    exhausted: bool

    @property
    def m(self) -> int:
        """Return m, the number of visited observations."""
        return len(self.visits)

    @property
    def accepted(self) -> list[tuple[int, int]]:
        """Return D+ as (position, attempt), in order of visit."""
        return [(visit.position, attempt) for visit in self.visits for attempt in visit.accepted]

    @property
    def acceptance(self) -> Fraction:
        """Return the share of visited observations with an accepted rationale (the reference code's alpha)."""
        return _share(sum(bool(visit.accepted) for visit in self.visits), self.m)

    @property
    def first_try(self) -> Fraction:
        """Return the share of visited observations whose first attempt was right."""
        return _share(sum(visit.first_try for visit in self.visits), self.m)


def next_attempts(
    order: Iterable[int], results: Results, rules: Rules, beta: int, batch_size: int
) -> list[Planned]:
    """Return the attempts to generate next; an empty list when the iteration can be closed.

    Every attempt up to the observation where beta would be reached if all open attempts succeeded is
    needed for certain. The walk goes on, to twice as many attempts at most, where beta is expected once
    retries have had their chance: a few large waves instead of many small ones. When that fills no batch,
    one batch is filled as if there were no retries, which makes some surplus at the very end. One attempt
    at a time (``batch_size`` 1) makes none.

    Args:
        order: Positions in the order of visit.
        results: Verdicts so far.
        rules: What a visit does.
        beta: Accepted rationales wanted, beta_t.
        batch_size: Attempts generated at once; it changes how much is planned, never what is selected.
    """
    opened, again, once_more = itertools.tee(_open(order, results, rules), 3)
    needed = list(_walk(opened, rules, beta, gain=1.0))
    if not needed or batch_size == 1 or rules.full_pass:
        return needed
    rate, kept = _rates(results)
    with_retries = 1 - (1 - rate) ** rules.attempts if rules.until_correct else rate
    likely = _first(2 * len(needed), _walk(again, rules, beta, gain=with_retries * kept))
    if len(likely) >= batch_size:
        return likely
    return _first(batch_size, _walk(once_more, rules, beta, gain=rate * kept))


def _first(count: int, planned: Iterator[Planned]) -> list[Planned]:
    return list(itertools.islice(planned, count))


@dataclass(frozen=True, slots=True)
class _Open:
    """An observation that owes attempts: the accepted rationales of the settled ones since the last such, and its own."""

    position: int
    before: float
    accepted: int
    missing: range


def _open(order: Iterable[int], results: Results, rules: Rules) -> Iterator[_Open]:
    """Yield the observations that owe attempts, in order; a wave looks at every settled one only once."""
    before = 0.0
    for position in order:
        judged = results.get(position, ())
        accepted, missing = sum(map(_accepted, judged)), rules.missing(position, judged)
        if missing:
            yield _Open(position, before, accepted, missing)
            before = 0.0
        else:
            before += rules.capped(accepted)


def _walk(opened: Iterable[_Open], rules: Rules, beta: int, gain: float) -> Iterator[Planned]:
    """Yield open attempts in order until beta is reached, counting each open one as ``gain`` accepted."""
    expected = 0.0
    for one in opened:
        expected += one.before
        if rules.enough(expected, beta):
            return
        expected += rules.capped(one.accepted + gain * len(one.missing))
        for attempt in one.missing:
            yield Planned(one.position, attempt, rules.hinted(attempt))


def _rates(results: Results) -> tuple[float, float]:
    """Return right attempts per judged one and accepted ones per right one so far; 1 before there are any."""
    judged = [one for attempts in results.values() for one in attempts]
    right = sum(one.right for one in judged)
    accepted = sum(one.accepted for one in judged)
    return right / len(judged) if judged else 1.0, accepted / right if right else 1.0


def close(order: Iterable[int], results: Results, rules: Rules, beta: int) -> Selection:
    """Replay the iteration one observation at a time and return what it visited and accepted.

    Args:
        order: Positions in the order of visit.
        results: Verdicts; every observation up to the stop must be settled.
        rules: What a visit does.
        beta: Accepted rationales wanted, beta_t.

    Raises:
        ValueError: An observation before the stop still owes an attempt.
    """
    visits: list[Visit] = []
    accepted = 0
    for position in order:
        if rules.enough(accepted, beta):
            return Selection(tuple(visits), exhausted=False)
        judged = results.get(position, [])
        if rules.missing(position, judged):
            raise ValueError(f"observation at position {position} still owes an attempt")
        visits.append(_visit(position, judged, rules))
        accepted += len(visits[-1].accepted)
    return Selection(tuple(visits), exhausted=accepted < beta)


def _visit(position: int, judged: list[Judged], rules: Rules) -> Visit:
    wins = [one for one in judged if one.right and (rules.count_hinted_wins or not one.hinted)]
    return Visit(
        position=position,
        attempts=len(judged),
        correct=len(wins),
        accepted=tuple(one.attempt for one in judged if one.accepted)[: rules.cut_off],
        first_try=judged[0].right,
    )


def thin(selected: Selection, wanted: int, choice: np.random.Generator) -> Selection:
    """Return the selection with ``wanted`` of its accepted rationales at most, chosen at random (STaR's down-sampling).

    Visits, attempts and win rates stay as they were.
    """
    accepted = selected.accepted
    if len(accepted) <= wanted:
        return selected
    kept = {accepted[place] for place in choice.permutation(len(accepted))[:wanted].tolist()}
    visits = tuple(
        replace(visit, accepted=tuple(one for one in visit.accepted if (visit.position, one) in kept))
        for visit in selected.visits
    )
    return replace(selected, visits=visits)


def stamp_count(m: int, alpha: Fraction | float, power: float, rounding: Rounding = "floor") -> int:
    """Return u = floor(m * alpha^p), the number of visited observations to stamp (Algorithm 1, line 16).

    Exact for a whole power: in floating point, products that are whole numbers can fall just below.

    Args:
        m: Visited observations.
        alpha: The model's strength in [0, 1].
        power: The exponent p >= 0; 2 in the paper, 0 stamps every visit.
        rounding: ``round`` is what the official code does, in floating point, halves to even.
    """
    if rounding == "round":
        return min(m, round(m * math.pow(alpha, power)))
    if float(power).is_integer():
        return int(m * Fraction(alpha) ** int(power))
    return min(m, math.floor(m * math.pow(alpha, power)))


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)
