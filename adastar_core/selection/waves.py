"""Which attempts to generate next, so that an iteration takes a few large waves and makes little surplus."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from adastar_core.selection.rules import Results, Rules

_accepted = attrgetter("accepted")


@dataclass(frozen=True, slots=True)
class Planned:
    """One attempt that is to be generated."""

    position: int
    attempt: int
    hinted: bool


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
