"""Simulated comparisons: learning curves with the noise of seeds and of questions, to test what a rung decides.

Run it:  python -m tests.support.simulated_curves --comparisons 2000
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from adastar_core.comparison.dropping import decide
from adastar_core.comparison.member import Member, Point
from adastar_core.comparison.rungs import rungs
from adastar_core.config.methods import METHODS

Floats = npt.NDArray[np.float64]

BASE, BEST = 0.588, 0.77
"""Validation accuracy before and after, as on arithmetic-hard (``docs/results/arithmetic-hard``)."""
SEED_DEVIATION = 0.009
QUESTIONS, SEEDS, ITERATIONS = 1000, 5, 8
NAMES = tuple(METHODS)[:9]
_SHARED, _OWN = 3.0, 0.5
"""Variances of a question's difficulty, and of its difficulty for one method, beside 1 for each answer."""


@dataclass(frozen=True)
class Scene:
    """How the methods' true curves look: gain(c) = gain * c ** speed, with c the share of the budget.

    ``gains`` and ``speeds`` return a number for each method; the first method is the best in truth.
    """

    title: str
    gains: Callable[[np.random.Generator], Sequence[float]]
    speeds: Callable[[np.random.Generator], Sequence[float]]


def _led_by(lead: float) -> Callable[[np.random.Generator], Sequence[float]]:
    return lambda _: [BEST - BASE, *[BEST - BASE - lead] * 8]


def _alike(_: np.random.Generator) -> Sequence[float]:
    return [0.5] * 9


def _mixed_speeds(random: np.random.Generator) -> Sequence[float]:
    return [float(speed) for speed in random.uniform(0.3, 0.9, 9)]


SCENES = (
    *(Scene(f"equal speeds, lead {lead}", _led_by(lead / 100), _alike) for lead in (0, 1, 3)),
    *(Scene(f"mixed speeds, lead {lead}", _led_by(lead / 100), _mixed_speeds) for lead in (0, 1, 3)),
    Scene("clear losers", lambda _: [BEST - BASE, *[0.02] * 8], _alike),
    Scene(
        "mixed field",
        lambda _: [BEST - BASE + gap for gap in (0, -0.005, -0.01, -0.03, -0.06, -0.09, -0.12, -0.16, -0.18)],
        _mixed_speeds,
    ),
)


@dataclass(frozen=True)
class Outcome:
    """The share of comparisons that kept the true best, and the mean share of the whole cost that was spent."""

    kept: float
    cost: float


def simulate(scene: Scene, comparisons: int, seed: int = 0) -> Outcome:
    """Simulate comparisons of nine methods with five seeds and 1,000 validation questions."""
    kept, cost = 0, 0.0
    for number in range(comparisons):
        left, spent = _one(scene, np.random.default_rng((seed, number)))
        kept += NAMES[0] in left
        cost += spent
    return Outcome(kept / comparisons, cost / comparisons)


def _one(scene: Scene, random: np.random.Generator) -> tuple[set[str], float]:
    """Return the methods that one comparison keeps to the end, and the share of the whole cost that it spends."""
    curves = _Curves(scene, random)
    ladder = rungs(ITERATIONS, None)
    left, spent = set(NAMES), 0.0
    for before, rung in zip((None, *ladder), ladder, strict=False):
        start = before.limit if before else 0
        spent += len(left) / len(NAMES) * (rung.limit - start) / rung.whole
        if rung.is_last:
            break
        curves.grow(int(rung.limit))
        runs = [run for run in curves.members() if run.method in left]
        left -= decide(runs, rung, methods=len(NAMES), rungs=len(ladder) - 1).dropped.keys()
    return left, spent


class _Curves:
    def __init__(self, scene: Scene, random: np.random.Generator) -> None:
        self._random = random
        self._gains, self._speeds = np.array(scene.gains(random)), np.array(scene.speeds(random))
        half = SEED_DEVIATION / np.sqrt(2)  # half of a run's variance lasts, half is new in each iteration
        self._half, self._lasting = half, random.normal(0, half, (len(NAMES), SEEDS))
        self._questions = np.sqrt(_SHARED) * random.standard_normal(QUESTIONS)
        self._own = np.sqrt(_OWN) * random.standard_normal((len(NAMES), QUESTIONS))
        base = random.random(QUESTIONS) < self._chances(np.full((1, 1), BASE), self._questions)[0, 0]
        self._answers = [np.broadcast_to(base, (len(NAMES), SEEDS, QUESTIONS))]

    def grow(self, iterations: int) -> None:
        """Simulate the answers up to this iteration."""
        for t in range(len(self._answers), iterations + 1):
            true = BASE + self._gains * (t / ITERATIONS) ** self._speeds
            noise = self._lasting + self._random.normal(0, self._half, self._lasting.shape)
            chances = self._chances(true[:, None] + noise, (self._questions + self._own)[:, None, :])
            self._answers.append(self._random.random(chances.shape, dtype=np.float32) < chances)

    def _chances(self, shares: Floats, difficulties: Floats) -> Floats:
        """Return each answer's chance to be right, whose mean over all questions there could be is ``shares``."""
        ability = ndtri(shares) * np.sqrt(1 + _SHARED + _OWN)
        return np.asarray(ndtr((ability[:, :, None] - difficulties).astype(np.float32)))

    def members(self) -> list[Member]:
        return [
            Member(
                name, seed, tuple(self._point(t, place, seed) for t in range(len(self._answers))), None, None
            )
            for place, name in enumerate(NAMES)
            for seed in range(SEEDS)
        ]

    def _point(self, t: int, method: int, seed: int) -> Point:
        right = self._answers[t][method, seed]
        share = float(right.mean())
        return Point(t, share, 0.0, float(t), float(t), 0.0, (right + np.uint8(ord("0"))).tobytes().decode())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comparisons", type=int, default=2000)
    wanted = parser.parse_args().comparisons
    for scene in SCENES:
        found = simulate(scene, wanted)
        print(f"{scene.title:24} kept {found.kept:7.2%}   cost {found.cost:6.1%}", flush=True)


if __name__ == "__main__":
    main()
