"""Statistics over seeds: Student's t for means and paired differences, and curves over compute.

Every interval and every p comes from the same one-sample t-test, so the interval of a difference excludes zero exactly
when its p is below 0.05. A percentile bootstrap of so few values covers too little: 76 % instead of 95 % with three seeds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from adastar_core.comparison.member import Member, SelectOn

CONFIDENCE = 0.95
_TAILS = ((1 - CONFIDENCE) / 2, 1 - (1 - CONFIDENCE) / 2)
SAME = 1e-9
"""Shares closer than this differ only by rounding: the smallest real difference is one question."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with its interval. A single seed has no interval, nor have seeds that all agree."""

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
    """Return the mean with its 95 % t interval over seeds, clipped to [0, 1].

    Equal values have no interval: an interval of width zero would cover nothing.
    """
    found = _t_test(np.asarray(shares, dtype=float))
    if found.low is None or found.high is None:
        return Estimate(found.mean, None, None)
    return Estimate(found.mean, max(0.0, found.low), min(1.0, found.high))


def paired_difference(values: Sequence[float], reference: Sequence[float]) -> PairedDifference:
    """Return the mean of ``values - reference``, taken in pairs; without a test if all differences are equal."""
    return _t_test(np.asarray(values, dtype=float) - np.asarray(reference, dtype=float))


def _t_test(values: npt.NDArray[np.float64]) -> PairedDifference:
    """Return the mean with the one-sample t-test against 0: by its formula, as scipy.stats takes a second to load."""
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) < SAME:
        return PairedDifference(mean, None, None, None)
    freedom = len(values) - 1
    error = math.sqrt(float(values.var(ddof=1)) / len(values))
    low, high = (float(stdtrit(freedom, p)) * error + mean for p in _TAILS)
    return PairedDifference(mean, low, high, 2 * float(stdtr(freedom, -abs(mean / error))))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Return each p with Holm's correction for all of them; ``None`` stays ``None``."""
    order = sorted((p, place) for place, p in enumerate(values) if p is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[place] = largest
    return corrected


def curve(members: Sequence[Member], grid: Sequence[float], select_on: SelectOn) -> npt.NDArray[np.float64]:
    """Return the test accuracy of the checkpoint selected so far, [members, grid]; ``grid`` holds PFLOPs.

    The curve is a step function: an iteration counts once its whole cost is spent.
    """
    return np.array([[run.selected(select_on, pflops).test for pflops in grid] for run in members])


def reached_at(members: Sequence[Member], accuracy: float, select_on: SelectOn) -> float | None:
    """Return the PFLOPs at which the mean curve over seeds first reaches ``accuracy``; ``None`` if never."""
    grid = sorted({point.pflops for member in members for point in member.points})
    mean = curve(members, grid, select_on).mean(axis=0)
    reached = np.flatnonzero(mean >= accuracy - 1e-12)
    return grid[int(reached[0])] if len(reached) else None


def compute_ratio(
    runs: Sequence[Member], reference: Sequence[Member], select_on: SelectOn
) -> Estimate | None:
    """Return what the runs spend to reach the reference's mean accuracy, over what the reference spends, with its interval.

    Student's t on the logarithms of the ratios of runs with the same seed. A run of the reference that never reaches its mean
    counts with all that it spent, so the ratio is rather too large. ``None`` if one of ``runs`` never reaches it.
    """
    target = np.mean([run.selected(select_on).test for run in reference])
    spent = {run.seed: reached_at([run], float(target), select_on) or run.pflops for run in reference}
    ours = {run.seed: reached_at([run], float(target), select_on) for run in runs if run.seed in spent}
    costs = [cost for cost in ours.values() if cost]
    if not costs or len(costs) < len(ours):
        return None
    found = _t_test(np.log(costs) - np.log([spent[seed] for seed in ours]))
    low, high = (None if bound is None else math.exp(bound) for bound in (found.low, found.high))
    return Estimate(math.exp(found.mean), low, high)
