"""What a run's first iteration says of the rest: what can stopping early, an order, and thinning save on this problem?

Where the first iteration visits observations in random order, as with most methods, it is a fair sample of the pool. A Beta
distribution of success rates is fitted to it. What training on an observation can teach is measured by p(1 - p), as
`frontier` and others do: the model can solve it, and does not always. That is a proxy, not accuracy.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from adastar_core.samplers import Floats
from adastar_core.samplers.difficulty import Difficulty, features_of
from adastar_core.streams import rng

_FOLDS = 5
_DRAWS = 100
_QUANTILES = (np.arange(1000) + 0.5) / 1000
_CERTAIN = 0.9
_FEWEST = 100
"""Visits below which nothing is said of an order."""
PAYS = 0.1
"""An order is worth naming if it saves more than this share of the compute, at the lower end of its interval."""
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sampled:
    """A first iteration: its visits, and what the run plans.

    Attributes:
        questions: Of the observations visited until beta_t.
        attempts: How many each visit made, without a hint.
        right: How many of them were right.
        accepted: Rationales that were trained on.
        most_attempts: Attempts at a visit, at most.
        stops: Whether a visit ends with its first success.
        pool: Training observations.
        iterations: That the run may have, by its budget too.
        generation: FLOPs of a visit, on average.
        training: FLOPs of training on one accepted rationale.
    """

    questions: Sequence[str]
    attempts: Counts
    right: Counts
    accepted: int
    most_attempts: int
    pool: int
    iterations: float
    generation: float
    training: float
    stops: bool = True

    @property
    def kept(self) -> Counts:
        """How many rationales each visit gives to train on."""
        return np.minimum(self.right, 1) if self.stops else self.right

    @property
    def visited(self) -> int:
        return len(self.attempts)

    @property
    def passes(self) -> float:
        """How often the planned iterations go through the pool, if all are like the first."""
        return self.iterations * self.visited / self.pool


@dataclass(frozen=True)
class Advice:
    """Shares of compute. They are ``None`` where nothing can be told: one attempt at a visit, few visits, or all alike.

    An order's are also ``None`` where the whole pool is visited, so that every order visits the same.

    Attributes:
        lazy: Of a pass through the whole pool, what stopping at beta_t leaves out.
        solved: Mean success rate.
        by_question: Saved by visiting first what the question's words promise, with its 95 % interval.
        at_best: Saved by an order that knows every success rate, so a bound; a loose one where few attempts were right, or wrong.
        near_certain: Of the iteration, the training on rationales of observations that are solved nine times of ten.
    """

    lazy: float
    solved: float
    by_question: tuple[float, float, float] | None
    at_best: float | None
    near_certain: float | None


def advise(sampled: Sampled) -> Advice:
    """Return what the first iteration says of the ways to save compute."""
    lazy = 1 - sampled.visited / sampled.pool
    solved = float(sampled.right.sum() / sampled.attempts.sum())
    if sampled.most_attempts == 1 or sampled.visited < _FEWEST or solved in (0.0, 1.0):
        return Advice(lazy, solved, None, None, None)
    rates = fit_rates(sampled.attempts, sampled.right)
    if sampled.visited == sampled.pool:
        return Advice(lazy, solved, None, None, _near_certain(sampled, rates))
    return Advice(
        lazy, solved, _by_question(sampled, rates), _at_best(sampled, rates), _near_certain(sampled, rates)
    )


def fit_rates(attempts: Counts, right: Counts, near: tuple[float, float] = (1.0, 1.0)) -> tuple[float, float]:
    """Return the Beta distribution under which the visits are likeliest. Stopping at the first success changes nothing.

    Few visits, or visits that are all alike, leave it near ``near``.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln

    most = int(attempts.max(initial=0)) + 1
    counts = np.bincount(right * most + attempts - right)
    (places,) = np.nonzero(counts)
    cells, counts = np.divmod(places, most), counts[places]

    def unlikely(logs: Floats) -> float:
        a, b = np.exp(logs)
        prior = (
            (logs - centre) ** 2
        ).sum() / 18  # one observation's worth, or so: the parameters may be e^3 off
        return float(-(counts * (betaln(a + cells[0], b + cells[1]) - betaln(a, b))).sum() + prior)

    centre = np.log(near)
    found = minimize(unlikely, centre, method="L-BFGS-B", bounds=[(-6, 6)] * 2)
    a, b = np.exp(found.x)
    return float(a), float(b)


def _value(attempts: Counts, right: Counts, near: tuple[float, float]) -> float:
    """Return the mean of p(1 - p) over these visits; of few, about what it is ``near``."""
    a, b = fit_rates(attempts, right, near)
    return a * b / ((a + b) * (a + b + 1))


def _costs(sampled: Sampled, rates: Floats) -> tuple[Floats, Floats]:
    """Return for each success rate the expected FLOPs of a visit, and how many of its rationales are accepted."""
    most = sampled.most_attempts
    if sampled.stops:
        expected, accepted = ((1 - rates[:, None]) ** np.arange(most)).sum(axis=1), 1 - (1 - rates) ** most
    else:
        expected, accepted = np.full(len(rates), float(most)), most * rates
    each = sampled.generation * sampled.visited / sampled.attempts.sum()
    return each * expected + sampled.training * accepted, accepted


def _best(sampled: Sampled, rates: Floats, pool: float) -> Counts:
    """Return the places of the visits that teach most per compute, until as many are accepted as in the sample."""
    costs, accepted = _costs(sampled, rates)
    order = np.argsort(-rates * (1 - rates) / costs, kind="stable")
    wanted = sampled.accepted / pool * len(rates)
    return np.asarray(order[: int(np.searchsorted(np.cumsum(accepted[order]), wanted)) + 1])


def _at_best(sampled: Sampled, rates: tuple[float, float]) -> float:
    from scipy.special import betaincinv

    every = np.asarray(betaincinv(*rates, _QUANTILES))
    chosen = every[_best(sampled, every, sampled.pool)]
    random, best = (
        float((some * (1 - some)).sum() / _costs(sampled, some)[0].sum()) for some in (every, chosen)
    )
    return max(0.0, 1 - random / best)


def _by_question(sampled: Sampled, near: tuple[float, float]) -> tuple[float, float, float]:
    """Return the share saved, and its interval over draws of the visits.

    Each visit is predicted by what the others have shown. What the chosen ones are worth is fitted to their own attempts.
    """
    predicted = _predicted(sampled)
    chosen = np.zeros(sampled.visited, dtype=bool)
    chosen[_best(sampled, predicted, sampled.pool)] = True

    def saved(places: Counts) -> float:
        first = places[chosen[places]]
        rates = [_rate(sampled, some, near) for some in (places, first) if len(some)]
        return 1 - rates[0] / rates[1] if len(rates) == 2 and rates[1] else 0.0

    random = rng(0, "advice", sampled.visited)
    draws = [saved(random.integers(sampled.visited, size=sampled.visited)) for _ in range(_DRAWS)]
    low, high = np.quantile(draws, (0.025, 0.975))
    return saved(np.arange(sampled.visited)), float(low), float(high)


def _rate(sampled: Sampled, places: Counts, near: tuple[float, float]) -> float:
    """Return the p(1 - p) per FLOP of these visits, by what they took."""
    attempts, right = sampled.attempts[places], sampled.right[places]
    each = sampled.generation * sampled.visited / sampled.attempts.sum()
    cost = each * attempts.mean() + sampled.training * sampled.kept[places].mean()
    return _value(attempts, right, near) / float(cost)


def _predicted(sampled: Sampled) -> Floats:
    features = features_of(sampled.questions)
    right = sampled.right.astype(float)
    wrong = sampled.attempts - right
    fold = rng(0, "advice folds", sampled.visited).permutation(sampled.visited) % _FOLDS
    predicted = np.empty(sampled.visited)
    for number in range(_FOLDS):
        model, others = Difficulty(features), fold != number
        model.fit(right * others, wrong * others)
        predicted[~others] = model.predict()[~others]
    return predicted


def _near_certain(sampled: Sampled, rates: tuple[float, float]) -> float:
    from scipy.special import betainc

    a, b = rates
    chances = 1 - betainc(a + sampled.right, b + sampled.attempts - sampled.right, _CERTAIN)
    certain = float(np.average(chances, weights=sampled.kept))
    training = sampled.training * sampled.accepted
    return certain * training / (training + sampled.generation * sampled.visited)
