"""Which method leads a comparison, and which others cannot be told from it."""

from dataclasses import dataclass
from itertools import combinations

from adastar_core.comparison.intervals import CONFIDENCE, PairedDifference, holm, paired_difference
from adastar_core.comparison.table import Comparison, paired
from adastar_core.config.methods import MethodName


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
    is tied wherever the interval of the difference includes zero, wherever there is no interval, and where it leads by
    seeds that the other lacks.
    """
    best = max(comparison.rows, key=lambda row: row.accuracy.mean).method
    others = [row.method for row in comparison.rows if row.method != best]
    found = [
        _difference(comparison, *pair) for pair in combinations([best, *others], 2)
    ]  # the leader's come first
    corrected = holm([one.p if one else None for one in found])
    tied = tuple(
        name
        for name, one, p in zip(others, found, corrected, strict=False)
        if one is None or one.mean <= 0 or p is None or p >= 1 - CONFIDENCE
    )
    return Leader(best, tied, _helped(comparison, best))


def _difference(comparison: Comparison, method: MethodName, other: MethodName) -> PairedDifference | None:
    ours, theirs = ([one for one in comparison.members if one.method == name] for name in (method, other))
    return paired(ours, theirs, comparison.select_on)


def _helped(comparison: Comparison, method: MethodName) -> bool | None:
    runs = [one for one in comparison.members if one.method == method]
    if len(runs) < 2:
        return None
    after = [one.selected(comparison.select_on).test for one in runs]
    found = paired_difference(after, [one.points[0].test for one in runs])
    return found.mean > 0 and (found.p is None or found.p < 1 - CONFIDENCE)
