"""Which methods cannot win a comparison any more: decided at a rung, on validation alone. Pure.

Successive halving (arXiv 1502.07943; Hyperband, ASHA, scikit-learn's HalvingGridSearchCV) keeps a fixed share of the
candidates at every rung. Here a method is dropped only if it is behind beyond chance, so that equals are all kept, and none
may be. Two things must hold:

* The interval of its difference to the best excludes zero. It covers seeds and questions, and is corrected (Bonferroni) for
  all other methods and all rungs: the method that is best in truth at every rung is dropped with a probability of 5 % at most.
* It would stay behind even if its gain over the base model grew in proportion to the budget, while the best gained
  nothing more. Curves cross, and a slow start is not a loss; but returns diminish, so no method gains more than that.

A method is compared with others at the compute that it has spent itself. One whose first iteration costs more than the rung
is neither dropped for that nor ahead by it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from adastar_core.comparison.intervals import CONFIDENCE
from adastar_core.comparison.member import Member, Point, in_order
from adastar_core.comparison.rungs import Rung
from adastar_core.config.methods import MethodName
from adastar_core.errors import StageError

Floats = npt.NDArray[np.float64]
_Runs = Mapping[int, Member]
"""A method's runs by seed, cut at the rung."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rung says of a method. Accuracies are on validation, means over seeds, in [0, 1].

    Attributes:
        accuracy: Of the checkpoints that validation has selected so far.
        pflops: What a run has spent, mean over seeds.
        rival: The best other method at that compute; ``None`` where nothing can be compared.
        difference: To the rival.
        high: The difference's upper bound, corrected for all methods and rungs.
        attainable: The difference that is left if its gain grows in proportion to the budget and the rival stands still.
    """

    method: MethodName
    seeds: tuple[int, ...]
    accuracy: float
    pflops: float
    rival: MethodName | None = None
    difference: float | None = None
    high: float | None = None
    attainable: float | None = None

    @property
    def dropped(self) -> bool:
        return self.high is not None and self.attainable is not None and max(self.high, self.attainable) < 0


@dataclass(frozen=True, slots=True)
class Decision:
    """A rung with what it says of every method that reached it, in the catalogue's order."""

    rung: Rung
    verdicts: tuple[Verdict, ...]

    @property
    def dropped(self) -> dict[MethodName, Verdict]:
        return {verdict.method: verdict for verdict in self.verdicts if verdict.dropped}


def decide(members: Sequence[Member], rung: Rung, *, methods: int, rungs: int) -> Decision:
    """Return what a rung says of every method. It follows from the runs alone, and not from what they did after the rung.

    Methods that lack a seed of the others are not judged: they are neither dropped nor anybody's rival.

    Args:
        rung: The rung that they have reached.
        members: The runs of the methods that are left, at the rung's end or beyond.
        methods: How many methods the comparison began with.
        rungs: How many of its rungs drop methods.

    Raises:
        StageError: A run does not say which questions it answered right.
    """
    runs = {
        name: {run.seed: rung.cut(run) for run in members if run.method == name}
        for name in in_order(run.method for run in members)
    }
    seeds = {run.seed for run in members}
    judged = {name: found for name, found in runs.items() if found.keys() == seeds}
    if len(judged) < 2 or len(seeds) < 2:
        return Decision(rung, tuple(_standing(name, found) for name, found in runs.items()))
    level = (1 - CONFIDENCE) / ((methods - 1) * rungs)
    noise = _Noise.of(
        [[_best(found[seed]).validation for seed in sorted(seeds)] for found in judged.values()]
    )
    verdicts = (
        _judge(name, judged, rung, noise, level) if name in judged else _standing(name, found)
        for name, found in runs.items()
    )
    return Decision(rung, tuple(verdicts))


@dataclass(frozen=True, slots=True)
class _Noise:
    """The variance of a difference between two runs of one seed, pooled over all methods, and its degrees of freedom.

    Few seeds tell little of one pair's variance: with three, its interval is nine times as wide as with all methods'.
    """

    variance: float
    freedom: int

    @classmethod
    def of(cls, shares: Sequence[Sequence[float]]) -> "_Noise":
        """``shares`` are accuracies, [methods, seeds]; what is left of them without methods' and seeds' means is noise."""
        values = np.asarray(shares)
        rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
        freedom = (values.shape[0] - 1) * (values.shape[1] - 1)
        return cls(2 * float((rest**2).sum()) / freedom, freedom)


def _judge(
    name: MethodName, runs: Mapping[MethodName, _Runs], rung: Rung, noise: _Noise, level: float
) -> Verdict:
    """Compare a method with the one that is best at the compute that it has spent."""
    ours = [_best(run) for _, run in sorted(runs[name].items())]
    spent = {seed: rung.cost(run.points[-1]) for seed, run in runs[name].items()}
    others = {
        other: [_best(run, rung, spent[seed]) for seed, run in sorted(found.items())]
        for other, found in runs.items()
        if other != name
    }
    rival = max(others, key=lambda other: fmean(point.validation for point in others[other]))
    theirs = others[rival]
    differences = np.array([us.validation - them.validation for us, them in zip(ours, theirs, strict=True)])
    over_seeds = max(noise.variance, float(differences.var(ddof=1))) / len(differences)
    error = math.sqrt(over_seeds + _question_variance(name, ours, rival, theirs))
    # Whoever has spent the whole budget can gain nothing more.
    growth = max(1.0, rung.whole / max(fmean(spent.values()), 1e-300))
    more = (growth - 1) * fmean(_gain(run) for run in runs[name].values())
    mean = float(differences.mean())
    high = mean + float(stdtrit(noise.freedom, 1 - level)) * error
    found = _standing(name, runs[name])
    return Verdict(name, found.seeds, found.accuracy, found.pflops, rival, mean, high, mean + more)


def _standing(name: MethodName, runs: _Runs) -> Verdict:
    accuracy = fmean(_best(run).validation for run in runs.values())
    return Verdict(name, tuple(sorted(runs)), accuracy, fmean(run.pflops for run in runs.values()))


def _best(run: Member, rung: Rung | None = None, spent: float = math.inf) -> Point:
    """Return the checkpoint that validation has selected so far, for at most ``spent`` of the budget; the base model costs none."""
    affordable = [point for point in run.points if rung is None or rung.cost(point) <= spent]
    return max(affordable, key=lambda point: (point.validation, -point.t))


def _gain(run: Member) -> float:
    return _best(run).validation - run.points[0].validation


def _question_variance(
    name: MethodName, ours: Sequence[Point], rival: MethodName, theirs: Sequence[Point]
) -> float:
    """Return the variance that the choice of the questions gives to a mean difference; one question tells nothing, so 1."""
    differences = _right(name, ours).mean(axis=0) - _right(rival, theirs).mean(axis=0)
    return float(differences.var(ddof=1)) / len(differences) if len(differences) > 1 else 1.0


def _right(name: MethodName, points: Sequence[Point]) -> Floats:
    """Return which questions were answered right, [points, questions]."""
    rows = [np.frombuffer(point.right.encode(), dtype=np.uint8) == ord("1") for point in points]
    if len({len(row) for row in rows}) != 1 or not len(rows[0]):
        raise StageError(
            f"The summaries of {name} do not say which validation questions were right, because an older version wrote them. "
            "Remove them from the comparison's folder: the same command writes them again from the runs."
        )
    return np.asarray(rows, dtype=np.float64)
