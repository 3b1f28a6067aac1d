"""Frontier: observations at random, each as likely as the learning per unit of compute that is expected of it.

An attempt at an observation that the model solves with probability p teaches p(1-p): it must be right to be trained on, and
what is always right is known. After n attempts at an observation, one more adds 1/sqrt(1 + n) of that (novelty). Its cost, in the
model's passes over tokens: 2 for each token read or generated, 6 for each one trained on, which happens with probability p.
So a rate of 1/3 is the best, not 1/2, and of two equally uncertain observations the shorter is the better.

Success and length are predicted from the question (:mod:`adastar_core.samplers.difficulty`), and an observation's own
attempts count beside the prediction. Kinds of questions that are never solved become rare by themselves. An observation that
fails where others of its kind are solved may have a wrong reference: the more it fails, the less is expected of it, until only
the share of the least recent takes it. The order is drawn, not sorted: the best alone are all of one kind, and a model that
trains on one kind forgets the others. A share of the places goes to the least recently stamped, which is AdaSTaR's order, so
that nothing waits for ever and a wrong prediction is found out.

An iteration learns from its own visits: the first one, which knows nothing, would else spend on the hopeless as random order does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Floats, Stamps, Statistics
from adastar_core.samplers.difficulty import Difficulty, features_of, predicted_lengths
from adastar_core.samplers.fading import Counts
from adastar_core.samplers.revising import KeptRevisions
from adastar_core.samplers.sorted import Key, RememberingSampler, mixed, ranks
from adastar_core.selection import Visit
from adastar_core.settings import setting

_PREDICTION_WEIGHT = 5.0
"""Attempts that the prediction from the question counts for, beside an observation's own."""
_UNSOLVABLE = 0.05
"""Share of observations that are taken for unsolvable before anything is known, most of them for a wrong reference."""


class FrontierSettings(BaseSamplerSettings):
    """More of what teaches more per compute, by success and length predicted from the question."""

    type: Literal["frontier"] = "frontier"
    memory: float = setting(
        0.5, "Memory", "Factor of an attempt's weight in each iteration; 1 never forgets.", ge=0, le=1
    )
    recent: float = setting(
        0.1, "Least recent", "Share of the places that go to the least recently stamped.", gt=0, lt=1
    )

    @property
    def predicts(self) -> bool:
        return True

    @property
    def begins_at_random(self) -> bool:
        return False

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "FrontierSampler":
        return FrontierSampler(statistics, seed, self)


@dataclass(frozen=True, slots=True)
class _Known:
    """What attempts have shown, by position, each of shape (N,).

    Attributes:
        lately: Attempts, older ones less, because the model changes.
        solved: Whether any was right, since references do not change.
        failing: Logarithm of the chance of all failures so far if the observation can be solved. In each iteration, the rates of a
            kind's solvable observations are taken for Beta-distributed around the kind's, so failures have a beta-binomial's chance.
    """

    lately: Counts
    solved: npt.NDArray[np.bool_]
    failing: Floats

    @classmethod
    def nothing(cls, observations: int, memory: float) -> "_Known":
        return cls(
            Counts.none(observations, memory), np.zeros(observations, dtype=bool), np.zeros(observations)
        )

    def after(self, stamps: Stamps, difficulty: Difficulty) -> "_Known":
        """Return what is known after an iteration's stamps. Its failures tell by the rates of its own model, not of a later one."""
        from scipy.special import betaln

        lately, solved, failing = self.lately.after(stamps), self.solved.copy(), self.failing.copy()
        kind = _kind(difficulty, lately, self.solvable)[stamps.positions]
        a, b = _PREDICTION_WEIGHT * kind, _PREDICTION_WEIGHT * (1 - kind)
        failed = betaln(a, b + stamps.attempts - stamps.correct) - betaln(a, b)
        # Rounded as rates are: the special function may differ in its last digit between machines.
        failing[stamps.positions] += np.round(failed, 9)
        solved[stamps.positions] |= stamps.correct > 0
        return _Known(lately, solved, failing)

    @property
    def solvable(self) -> Floats:
        """How likely each observation can be solved at all; 1 once it was."""
        failing = (1 - _UNSOLVABLE) * np.exp(self.failing)
        return np.where(self.solved, 1.0, failing / (failing + _UNSOLVABLE))

    def rate(self, difficulty: Difficulty) -> Floats:
        """Return each observation's success rate if it can be solved, from the question and from its own attempts."""
        kind, lately = _kind(difficulty, self.lately, self.solvable), self.lately
        return (_PREDICTION_WEIGHT * kind + lately.right) / (_PREDICTION_WEIGHT + lately.attempts)


def _kind(difficulty: Difficulty, lately: Counts, solvable: Floats) -> Floats:
    """Return the rate of each question's kind. What cannot be solved says nothing of its kind, so it is left out."""
    difficulty.fit(lately.right, lately.wrong * solvable)
    # Not averaged over what is uncertain: 1 or 2 % for what was never solved would take half of a pool that is mostly such.
    return np.clip(difficulty.likeliest(), 1e-9, 1 - 1e-9)


class FrontierSampler(RememberingSampler):
    """Draw the order by expected learning per compute, evenly while nothing is known; draw the rest anew as visits tell more.

    The streams are ("frontier", t), and ("frontier", t, visits) for what is drawn after so many visits.
    """

    def __init__(self, statistics: Statistics, seed: int, settings: FrontierSettings) -> None:
        super().__init__(statistics, seed)
        self._known = _Known.nothing(len(statistics.last_iteration), settings.memory)
        self._settings = settings
        self._revisions = KeptRevisions()

    def read(self, questions: Sequence[str]) -> None:
        self._features = features_of(questions)
        self._difficulty = Difficulty(self._features)

    def recall(self, stamps: Stamps) -> None:
        self._known = self._known.after(stamps, self._difficulty)

    def keys(self, iteration: int) -> tuple[Key, ...]:
        noise = self._noise(iteration)
        if not self._known.lately.attempts.any():
            return (noise,)
        return (self._drawn(self._known, self.statistics.last_iteration, noise),)

    def revised(self, iteration: int, visits: Sequence[Visit]) -> Iterator[int]:
        def revise() -> Iterator[int]:
            stamps = Stamps.of(iteration, visits)
            known, noise = self._known.after(stamps, self._difficulty), self._noise(iteration, len(visits))
            last = self.statistics.last_iteration.copy()
            last[stamps.positions] = iteration
            order = np.argsort(self._drawn(known, last, noise), kind="stable")
            yield from map(int, order[~np.isin(order, stamps.positions)])

        return self._revisions.get(iteration, len(visits), revise)

    def predict(self) -> Floats:
        """Return how likely the next attempt at each observation is right."""
        return self._known.solvable * self._known.rate(self._difficulty)

    def _noise(self, *place: int) -> Floats:
        return streams.rng(self.seed, "frontier", *place).gumbel(size=len(self._known.failing))

    def _drawn(self, known: _Known, last: npt.NDArray[np.int32], noise: Floats) -> Floats:
        """Return a key whose order is that of draws without replacement, by value, with the least recent among them."""
        solvable, rate = known.solvable, known.rate(self._difficulty)
        attempts = known.lately.attempts
        lengths = predicted_lengths(self._features, known.lately.tokens, attempts)
        # an attempt over its tokens, and training on it if it is right
        passes = lengths * (2 + 6 * solvable * rate)
        value = solvable * rate * (1 - rate) / np.sqrt(1 + attempts) / passes
        drawn = np.log(np.maximum(value, 1e-9)) + noise
        return mixed(ranks(-drawn), ranks(last, noise), self._settings.recent)
