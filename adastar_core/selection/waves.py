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

    ``batch_size``, the attempts generated at once, changes how much is planned, never what is selected.
    """
    # Three walks over the observations that owe attempts. Each may end early, so the pool is read only as far as needed.
    opened, again, once_more = itertools.tee(_open(order, results, rules), 3)

    # 1. If every open attempt succeeded, beta would be reached soonest: these attempts are needed for certain.
    needed = list(_walk(opened, rules, beta, gain=1.0))
    if not needed or batch_size == 1 or not rules.stop.by_acceptance:
        return needed

    # 2. Most models fail often, and certain attempts alone would make many small waves. So walk on to where beta is
    #    expected at the rates seen so far, retries included. Twice the certain attempts bound what a first, bad
    #    estimate can cost: a model that is never right would otherwise be given the whole pool at once.
    judged = [attempt for attempts in results.values() for attempt in attempts]
    right = sum(attempt.right for attempt in judged)
    accepted = sum(
        sum(map(_accepted, attempts))
        for position, attempts in results.items()
        if not rules.is_luck(position, attempts)
    )
    rate = right / len(judged) if judged else 1.0
    kept = accepted / right if right else 1.0
    with_retries = 1 - (1 - rate) ** rules.attempts if rules.until_correct else rate
    likely = itertools.islice(_walk(again, rules, beta, gain=with_retries * kept), 2 * len(needed))
    if len(wave := list(likely)) >= batch_size:
        return wave

    # 3. At the very end that fills no batch, and a batch costs about the same however few rows it has. Fill one, as if
    #    nothing were retried: the surplus is at most the rest of one batch.
    return list(itertools.islice(_walk(once_more, rules, beta, gain=rate * kept), batch_size))


@dataclass(frozen=True, slots=True)
class _Open:
    """An observation that owes attempts, after ``settled`` ones that owe none and have ``before`` accepted rationales."""

    position: int
    settled: int
    before: float
    accepted: int
    missing: range


def _open(order: Iterable[int], results: Results, rules: Rules) -> Iterator[_Open]:
    """Yield the observations that owe attempts, in order; settled ones are summed up once for all walks."""
    settled, before = 0, 0.0
    for position in order:
        judged = results.get(position, ())
        accepted, missing = sum(map(_accepted, judged)), rules.missing(position, judged)
        if missing:
            yield _Open(position, settled, before, accepted, missing)
            settled, before = 0, 0.0
        else:
            settled += 1
            before += 0 if rules.is_luck(position, judged) else rules.capped(accepted)


def _walk(opened: Iterable[_Open], rules: Rules, beta: int, gain: float) -> Iterator[Planned]:
    """Yield open attempts in order until visits would end, counting each open one as ``gain`` accepted."""
    visits, expected = 0, 0.0
    for observation in opened:
        visits += observation.settled
        expected += observation.before
        if rules.stop.reached(visits, expected, beta):
            return
        visits += 1
        expected += rules.capped(observation.accepted + gain * len(observation.missing))
        for attempt in observation.missing:
            yield Planned(observation.position, attempt, rules.hinted(attempt))
