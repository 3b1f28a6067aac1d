"""Which method leads a comparison, and which others cannot be told from it."""

from dataclasses import dataclass
from itertools import combinations

from adastar_core.comparison.statistics import CONFIDENCE, holm, paired_difference
from adastar_core.comparison.table import Comparison, paired
from adastar_core.methods import MethodName


@dataclass(frozen=True, slots=True)
class Leader:
    """The method with the highest mean accuracy; the first of the table among equals.

    Attributes:
        method: The method.
        tied: The others that it is not told from, in the table's order.
        helped: Whether it is told from the base model, as the better one; ``None`` with one seed, which tells nothing.
    """

    method: MethodName
    tied: tuple[MethodName, ...]
    helped: bool | None


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
    tied = tuple(row.method for row in rows if row.method not in told | {best})
    return Leader(best, tied, _helped(comparison, best))


def _helped(comparison: Comparison, method: MethodName) -> bool | None:
    runs = [one for one in comparison.members if one.method == method]
    if len(runs) < 2:
        return None
    after = [one.selected(comparison.select_on).test for one in runs]
    found = paired_difference(after, [one.points[0].test for one in runs])
    return found.mean > 0 and (found.p is None or found.p < 1 - CONFIDENCE)


def _p(comparison: Comparison, pair: tuple[MethodName, MethodName]) -> float | None:
    ours, theirs = ([one for one in comparison.members if one.method == name] for name in pair)
    found = paired(ours, theirs, comparison.select_on)
    return found.p if found else None
