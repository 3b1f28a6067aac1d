"""Which attempts an iteration makes next, what it accepts, and how far it stamps. Pure functions.

Source: Algorithm 1 of the AdaSTaR paper. Observations are visited in the sampler's order until beta_t
rationales are accepted. Generation runs ahead of that walk in batches, so an iteration is planned from
the verdicts so far, and closed by replaying the walk over all verdicts: what lies beyond the stopping
observation is surplus and changes nothing, whatever the batch size was.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

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


Results = Mapping[int, list[Judged]]
"""The judged attempts of an iteration by position, each list in order of attempt."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One attempt that is to be generated."""

    position: int
    attempt: int
    hinted: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """What one visit to an observation does (``attempts`` is K)."""

    attempts: int
    until_correct: bool
    rationalize: bool
    count_hinted_wins: bool

    @classmethod
    def of(cls, config: "RunConfig") -> "Rules":
        """Return the rules that a configuration asks for."""
        return cls(
            attempts=config.attempts,
            until_correct=config.attempt_mode == "until_correct",
            rationalize=config.rationalize,
            count_hinted_wins=config.count_hinted_wins,
        )

    def missing(self, judged: list[Judged]) -> range:
        """Return the numbers of the attempts that a visit still owes and that can be made now."""
        done = len(judged)
        if not self.until_correct:
            return range(done + 1, self.attempts + 1)
        settled = done >= self.attempts or any(one.right for one in judged)
        return range(0) if settled else range(done + 1, done + 2)

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

    @property
    def counted(self) -> set[tuple[int, int]]:
        """Return (position, attempt) of every attempt that counts; all others are surplus."""
        return {
            (visit.position, attempt) for visit in self.visits for attempt in range(1, visit.attempts + 1)
        }


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
    order, again, once_more = itertools.tee(order, 3)
    needed = list(_walk(order, results, rules, beta, gain=1.0))
    if not needed or batch_size == 1:
        return needed
    rate, kept = _rates(results)
    with_retries = 1 - (1 - rate) ** rules.attempts if rules.until_correct else rate
    likely = _first(2 * len(needed), _walk(again, results, rules, beta, gain=with_retries * kept))
    if len(likely) >= batch_size:
        return likely
    return _first(batch_size, _walk(once_more, results, rules, beta, gain=rate * kept))


def _first(count: int, planned: Iterator[Planned]) -> list[Planned]:
    return list(itertools.islice(planned, count))


def _walk(order: Iterable[int], results: Results, rules: Rules, beta: int, gain: float) -> Iterator[Planned]:
    """Yield open attempts in order until beta is reached, counting each open one as ``gain`` accepted."""
    expected = 0.0
    for position in order:
        if expected >= beta:
            return
        judged = results.get(position, [])
        missing = rules.missing(judged)
        expected += sum(one.accepted for one in judged) + gain * len(missing)
        for attempt in missing:
            yield Planned(position, attempt, rules.hinted(attempt))


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
        if accepted >= beta:
            return Selection(tuple(visits), exhausted=False)
        judged = results.get(position, [])
        if rules.missing(judged):
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
        accepted=tuple(one.attempt for one in judged if one.accepted),
        first_try=judged[0].right,
    )


def stamp_count(m: int, alpha: Fraction | float, power: float) -> int:
    """Return u = floor(m * alpha^p), the number of visited observations to stamp (Algorithm 1, line 16).

    Exact for a whole power: in floating point, products that are whole numbers can fall just below.

    Args:
        m: Visited observations.
        alpha: The model's strength in [0, 1].
        power: The exponent p >= 0; 2 in the paper, 0 stamps every visit.
    """
    if float(power).is_integer():
        return int(m * Fraction(alpha) ** int(power))
    return min(m, math.floor(m * math.pow(alpha, power)))


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)
