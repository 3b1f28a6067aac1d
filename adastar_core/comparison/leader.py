"""Which method leads a comparison, and which others cannot be told from it."""

from dataclasses import dataclass
from itertools import combinations

from adastar_core.comparison.statistics import CONFIDENCE, holm
from adastar_core.comparison.table import Comparison, paired
from adastar_core.methods import MethodName


@dataclass(frozen=True, slots=True)
class Leader:
    """The method with the highest mean accuracy; the first of the table among equals.

    Attributes:
        method: The method.
        tied: The others that it is not told from, in the table's order.
    """

    method: MethodName
    tied: tuple[MethodName, ...]


def leader(comparison: Comparison) -> Leader:
    """Return the leader. Another method is told from it by a paired t-test over the seeds that both have.

    Holm's correction is over all pairs of the table, since the leader was picked by looking at the same numbers. So it
    is tied wherever the interval of the difference includes zero, and wherever there is no interval.
    """
    rows = comparison.rows
    best = max(rows, key=lambda row: row.accuracy.mean).method
    pairs = list(combinations([row.method for row in rows], 2))
    corrected = dict(zip(pairs, holm([_p(comparison, pair) for pair in pairs]), strict=True))
    told = {
        name
        for pair, p in corrected.items()
        if best in pair and p is not None and p < 1 - CONFIDENCE
        for name in pair
    }
    return Leader(best, tuple(row.method for row in rows if row.method not in told | {best}))


def _p(comparison: Comparison, pair: tuple[MethodName, MethodName]) -> float | None:
    ours, theirs = ([one for one in comparison.members if one.method == name] for name in pair)
    found = paired(ours, theirs, comparison.select_on)
    return found.p if found else None
