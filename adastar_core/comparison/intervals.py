"""What several seeds say together: Student's t for means and paired differences, and curves over compute.

Every interval and every p comes from the same one-sample t-test, so that an interval of a difference excludes zero exactly
where its p is below 0.05. A percentile bootstrap of so few values covers far less than it says: 76 % with three seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adastar_core.comparison.member import Member, SelectOn

CONFIDENCE = 0.95
SAME = 1e-9
"""Shares closer than this differ by rounding alone: the smallest true difference is one question."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with its interval; none from a single seed, nor where all seeds agree."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A mean difference between paired runs, with the paired t-test's interval and two-sided p."""

    mean: float
    low: float | None
    high: float | None
    p: float | None


def estimate(shares: Sequence[float]) -> Estimate:
    """Return the mean with its 95 % t interval over seeds, cut off at 0 and 1.

    Without a spread between the values there is nothing to make an interval of: one of no width would cover nothing.
    """
    found = _t_test(np.asarray(shares, dtype=float))
    if found.low is None or found.high is None:
        return Estimate(found.mean, None, None)
    return Estimate(found.mean, max(0.0, found.low), min(1.0, found.high))


def paired_difference(values: Sequence[float], reference: Sequence[float]) -> PairedDifference:
    """Return ``values - reference``, pair by pair; no test when all differences are equal."""
    return _t_test(np.asarray(values, dtype=float) - np.asarray(reference, dtype=float))


def _t_test(values: npt.NDArray[np.float64]) -> PairedDifference:
    """Return the mean, its interval, and the p of its being zero."""
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) < SAME:
        return PairedDifference(mean, None, None, None)
    from scipy.stats import ttest_1samp

    found = ttest_1samp(values, 0.0)
    interval = found.confidence_interval(CONFIDENCE)
    return PairedDifference(mean, float(interval.low), float(interval.high), float(found.pvalue))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Return each p as Holm corrects it for all of them together; where there is none, none."""
    order = sorted((p, place) for place, p in enumerate(values) if p is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[place] = largest
    return corrected


def curve(members: Sequence[Member], grid: Sequence[float], select_on: SelectOn) -> npt.NDArray[np.float64]:
    """Return the test accuracy of the checkpoint selected so far, by seed and compute, [members, grid].

    ``grid`` holds PFLOPs. The curve is a step function: an iteration counts once it is paid for.
    """
    return np.array([[one.selected(select_on, pflops).test for pflops in grid] for one in members])


def reached_at(members: Sequence[Member], accuracy: float, select_on: SelectOn) -> float | None:
    """Return the PFLOPs at which the mean curve over seeds first reaches ``accuracy``; ``None`` if it never does."""
    grid = sorted({point.pflops for member in members for point in member.points})
    mean = curve(members, grid, select_on).mean(axis=0)
    reached = np.flatnonzero(mean >= accuracy - 1e-12)
    return grid[int(reached[0])] if len(reached) else None
