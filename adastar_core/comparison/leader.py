"""Which method leads a comparison, and which others do not differ significantly from it."""

from dataclasses import dataclass
from itertools import combinations

from adastar_core.comparison.intervals import CONFIDENCE, holm, paired_difference
from adastar_core.comparison.table import Comparison, paired
from adastar_core.config.methods import MethodName


@dataclass(frozen=True, slots=True)
class Leader:
    """The method with the highest mean accuracy; the first of the table among equals.

    Attributes:
        tied: The methods that do not differ significantly from it, in the table's order.
        helped: Whether it is significantly better than the base model; ``None`` with one seed, which shows nothing.
    """

    method: MethodName
    tied: tuple[MethodName, ...]
    helped: bool | None


def leader(comparison: Comparison) -> Leader:
    """Return the leader. Methods are compared by paired t-tests over the seeds that both have.

    Holm's correction covers all pairs of the table, because the leader is chosen by the same numbers. Methods are tied
    if the interval of their difference includes zero, if there is no interval, or if the leader is ahead only by seeds
    that the other method lacks.
    """
    best = max(comparison.rows, key=lambda row: row.accuracy.mean).method
    others = [row.method for row in comparison.rows if row.method != best]
    # The leader's pairs come first, so the first len(others) differences are those to the leader.
    differences = [
        paired(comparison.runs(method), comparison.runs(other), comparison.select_on)
        for method, other in combinations([best, *others], 2)
    ]
    corrected = holm([difference.p if difference else None for difference in differences])
    tied = tuple(
        name
        for name, difference, p in zip(others, differences, corrected, strict=False)
        if difference is None or difference.mean <= 0 or p is None or p >= 1 - CONFIDENCE
    )
    runs = comparison.runs(best)
    if len(runs) < 2:
        return Leader(best, tied, helped=None)
    after = [run.selected(comparison.select_on).test for run in runs]
    gain = paired_difference(after, [run.points[0].test for run in runs])
    return Leader(best, tied, helped=gain.mean > 0 and (gain.p is None or gain.p < 1 - CONFIDENCE))
