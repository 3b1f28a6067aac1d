"""What several seeds say together: bootstrap intervals, paired differences, and curves over compute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adastar_core.comparison.records import Member, SelectOn

_CONFIDENCE = 0.95
_RESAMPLES = 9999


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with its interval; no interval from a single seed."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference between paired runs, with the paired t-test's interval and two-sided p."""

    mean: float
    low: float | None
    high: float | None
    p: float | None


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean of ``values`` with its 95 % percentile bootstrap interval (9,999 resamples, fixed seed)."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Estimate(mean, None, None)
    from scipy.stats import bootstrap

    found = bootstrap(
        (np.asarray(values, dtype=float),),
        np.mean,
        confidence_level=_CONFIDENCE,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(mean, float(found.low), float(found.high))


def paired_difference(values: Sequence[float], reference: Sequence[float]) -> Difference:
    """Return ``values - reference``, pair by pair (scipy's ``ttest_rel``); no test when all differences are equal."""
    differences = np.asarray(values, dtype=float) - np.asarray(reference, dtype=float)
    mean = float(differences.mean())
    if len(differences) < 2 or np.ptp(differences) == 0:
        return Difference(mean, None, None, None)
    from scipy.stats import ttest_rel

    found = ttest_rel(values, reference)
    interval = found.confidence_interval(_CONFIDENCE)
    return Difference(mean, float(interval.low), float(interval.high), float(found.pvalue))


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
