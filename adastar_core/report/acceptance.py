"""What was accepted of each class of answers, and how much of it guessing would have got right. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adastar_core.machine.units import percent
from adastar_core.records import is_closed
from adastar_core.report.cautions import LEVEL, quoted
from adastar_core.store.classes import ClassVisits

_VANISHES_BELOW = 0.25
_LEAST_EXCESS = 0.25


@dataclass(frozen=True, slots=True)
class ClassShare:
    """A class of answers in one iteration: its visits, those with an accepted rationale, and its rationales in D+."""

    answer: str
    visited: int
    accepting: int
    accepted: int


def class_shares(visits: Sequence[ClassVisits]) -> tuple[ClassShare, ...]:
    """Return the classes of an iteration by name; none where answers are open."""
    visited: Counter[str] = Counter()
    for row in visits:
        visited[row.answer] += row.visited
    if not is_closed(visited):
        return ()
    return tuple(
        ClassShare(
            answer,
            visited[answer],
            sum(row.accepting for row in visits if row.answer == answer),
            sum(row.accepted for row in visits if row.answer == answer),
        )
        for answer in sorted(visited)
    )


def right_by_guessing(visits: Sequence[ClassVisits], *, first_only: bool) -> float | None:
    """Return how many attempts a guess among the options is expected to get right; ``None`` where answers are open.

    ``first_only`` counts one attempt per visit, where later ones were shown the answer.
    """
    classes = len({row.answer for row in visits})
    if not class_shares(visits):
        return None
    return sum(
        (row.visited if first_only else row.attempts) / (row.options or max(2, classes)) for row in visits
    )


def lopsided(t: int, classes: Sequence[ClassShare]) -> str | None:
    """Return a warning where classes vanish from what iteration ``t`` trains on, or one displaces the others."""
    total, accepted = sum(row.visited for row in classes), sum(row.accepted for row in classes)
    if len(classes) < 2 or not accepted:
        return None
    vanishing = [row for row in classes if _vanishes(row, classes)]
    if vanishing:
        names = " and ".join(quoted(row.answer) for row in vanishing)
        got, seen = sum(row.accepted for row in vanishing), sum(row.visited for row in vanishing)
        why = "the model will unlearn to answer so. Read what it answers there, or try more attempts or hints"
        return _said(t, names, got, accepted, seen, total, why)
    most = max(classes, key=lambda row: row.accepted / accepted - row.visited / total)
    excess = most.accepted / accepted - most.visited / total
    if excess < _LEAST_EXCESS or _chance_of_more(most, classes) >= LEVEL:
        return None
    why = "the model will learn to prefer it. schedule.balance_classes: true evens it out"
    return _said(t, quoted(most.answer), most.accepted, accepted, most.visited, total, why)


def _said(t: int, names: str, accepted: int, of: int, visited: int, total: int, why: str) -> str:
    return (
        f"WARNING: of what iteration {t} trains on, {percent(accepted / of)} ({accepted:,} of {of:,}) has the answer {names}, of what "
        f"it visited {percent(visited / total)}: {why}."
    )


def _vanishes(row: ClassShare, classes: Iterable[ClassShare]) -> bool:
    """Return whether far fewer visits to a class are accepted than of the others, beyond chance."""
    from scipy.stats import hypergeom

    visited, accepting = _totals(classes)
    if not accepting or row.accepting / accepting >= _VANISHES_BELOW * row.visited / visited:
        return False
    return bool(hypergeom.cdf(row.accepting, visited, row.visited, accepting) < LEVEL)


def _chance_of_more(row: ClassShare, classes: Iterable[ClassShare]) -> float:
    """Return the probability of so many accepted visits or more if every class were accepted alike."""
    from scipy.stats import hypergeom

    visited, accepting = _totals(classes)
    return float(hypergeom.sf(row.accepting - 1, visited, row.visited, accepting))


def _totals(classes: Iterable[ClassShare]) -> tuple[int, int]:
    rows = list(classes)
    return sum(row.visited for row in rows), sum(row.accepting for row in rows)
