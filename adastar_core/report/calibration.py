"""How well a sampler's predictions came true on the first attempts of the observations that it chose.

The Brier score is the mean squared distance between what was predicted and what happened, 0 or 1. It is 0 for a prophet
and p(1 - p) for who always predicts the base rate p, so that a prediction is worth something only below that. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adastar_core.machine.units import accuracy, percent
from adastar_core.records import Accuracy
from adastar_core.samplers import Floats

BINS = 10
HEADINGS = ("predicted", "mean predicted", "observed (95 %)", "first attempts")


@dataclass(frozen=True, slots=True)
class Bin:
    """The first attempts with a prediction from ``low`` to ``high``: their mean prediction, and what became of them."""

    low: float
    high: float
    predicted: float
    observed: Accuracy


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the predictions for some first attempts came true; ``base_brier`` is that of always predicting their base rate."""

    attempts: int
    base_rate: float
    brier: float
    base_brier: float
    bins: tuple[Bin, ...]
    iterations: tuple["IterationCalibration", ...]


@dataclass(frozen=True, slots=True)
class IterationCalibration:
    """The same of one iteration, whose base rate is its own."""

    t: int
    attempts: int
    brier: float
    base_brier: float


def calibration(predicted: Sequence[tuple[int, Floats, npt.NDArray[np.bool_]]]) -> Calibration | None:
    """Return the calibration of iterations, each with the predictions and outcomes of its visits; ``None`` without any."""
    visited = [(t, chances, right) for t, chances, right in predicted if len(right)]
    if not visited:
        return None
    chances = np.concatenate([chances for _, chances, _ in visited])
    right = np.concatenate([right for *_, right in visited])
    return Calibration(
        len(right),
        float(right.mean()),
        *_scores(chances, right),
        _bins(chances, right),
        tuple(
            IterationCalibration(t, len(outcomes), *_scores(shares, outcomes))
            for t, shares, outcomes in visited
        ),
    )


def calibration_line(found: Calibration) -> str:
    """Return the result in a sentence, which stands before the table."""
    worth = "better" if found.brier < found.base_brier else "no better"
    return (
        f"The sampler's predictions have a Brier score of {found.brier:.4f} on {found.attempts:,} first attempts from iteration "
        f"{found.iterations[0].t} on, {worth} than always predicting the base rate of {percent(found.base_rate)} ({found.base_brier:.4f})."
    )


def calibration_table(found: Calibration) -> list[tuple[str, ...]]:
    """Return a row per bin that is not empty, in the order of :data:`HEADINGS`."""
    return [
        (
            f"{100 * row.low:.0f}–{100 * row.high:.0f} %",
            percent(row.predicted),
            accuracy(row.observed),
            f"{row.observed.total:,}",
        )
        for row in found.bins
    ]


def _scores(chances: Floats, right: npt.NDArray[np.bool_]) -> tuple[float, float]:
    return float(((chances - right) ** 2).mean()), float(right.mean() * (1 - right.mean()))


def _bins(chances: Floats, right: npt.NDArray[np.bool_]) -> tuple[Bin, ...]:
    places = np.minimum((chances * BINS).astype(int), BINS - 1)  # a prediction of 1 is in the last
    return tuple(
        Bin(
            place / BINS,
            (place + 1) / BINS,
            float(chances[here].mean()),
            Accuracy(int(right[here].sum()), int(here.sum())),
        )
        for place in range(BINS)
        if (here := places == place).any()
    )
