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

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Floats, Stamps, Statistics
from adastar_core.samplers.difficulty import Difficulty, features_of, predicted_lengths
from adastar_core.samplers.fading import Counts, FadingSampler
from adastar_core.samplers.revising import KeptRevisions
from adastar_core.samplers.sorted import Key, mixed, ranks
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
    """What attempts have shown: lately, for the model changes, and ever, for references do not."""

    lately: Counts
    ever: Counts

    def after(self, stamps: Stamps) -> "_Known":
        return _Known(self.lately.after(stamps), self.ever.after(stamps))


class FrontierSampler(FadingSampler):
    """Draw the order by expected learning per compute, evenly while nothing is known; draw the rest anew as visits tell more.

    The streams are ("frontier", t), and ("frontier", t, visits) for what is drawn after so many visits.
    """

    def __init__(self, statistics: Statistics, seed: int, settings: FrontierSettings) -> None:
        super().__init__(statistics, seed, settings.memory)
        self._ever = Counts.none(len(statistics.last_iteration), memory=1.0)
        self._settings = settings
        self._revisions = KeptRevisions()

    def read(self, questions: Sequence[str]) -> None:
        self._features = features_of(questions)
        self._difficulty = Difficulty(self._features)

    def recall(self, stamps: Stamps) -> None:
        super().recall(stamps)
        self._ever = self._ever.after(stamps)

    def keys(self, iteration: int) -> tuple[Key, ...]:
        noise = self._noise(iteration)
        if not self.statistics.last_iteration.any():
            return (noise,)
        return (self._drawn(self._known, noise),)

    def revised(self, iteration: int, visits: Sequence[Visit]) -> Iterator[int]:
        def revise() -> Iterator[int]:
            stamps = Stamps.of(iteration, visits)
            noise = self._noise(iteration, len(visits))
            order = np.argsort(self._drawn(self._known.after(stamps), noise), kind="stable")
            yield from map(int, order[~np.isin(order, stamps.positions)])

        return self._revisions.get(iteration, len(visits), revise)

    def predict(self) -> Floats:
        """Return each observation's success rate, from the question and from its own attempts."""
        solvable, rate = self._expected(self._known)
        return solvable * rate

    @property
    def _known(self) -> _Known:
        return _Known(self.counts, self._ever)

    def _noise(self, *place: int) -> Floats:
        return streams.rng(self.seed, "frontier", *place).gumbel(size=len(self.counts.right))

    def _drawn(self, known: _Known, noise: Floats) -> Floats:
        """Return a key whose order is that of draws without replacement, by value, with the least recent among them."""
        solvable, rate = self._expected(known)
        attempts = known.lately.attempts
        lengths = predicted_lengths(self._features, known.lately.tokens, attempts)
        # an attempt over its tokens, and training on it if it is right
        passes = lengths * (2 + 6 * solvable * rate)
        value = solvable * rate * (1 - rate) / np.sqrt(1 + attempts) / passes
        drawn = np.log(np.maximum(value, 1e-9)) + noise
        return mixed(ranks(-drawn), ranks(self.statistics.last_iteration, noise), self._settings.recent)

    def _expected(self, known: _Known) -> tuple[Floats, Floats]:
        """Return how likely each observation can be solved at all, and its success rate if it can."""
        right, wrong = known.lately.right, known.lately.wrong
        solvable = np.ones(len(right))
        for _ in range(
            2
        ):  # the first fit finds what is unsolvable, which says nothing of its kind: the second leaves it out
            self._difficulty.fit(right, wrong * solvable)
            # Not averaged over what is uncertain: 1 or 2 % for what was never solved would take half of a pool that is mostly such.
            kind = self._difficulty.likeliest()
            solvable = _solvable(kind, known.ever)
        return solvable, (_PREDICTION_WEIGHT * kind + right) / (_PREDICTION_WEIGHT + right + wrong)


def _solvable(kind: Floats, ever: Counts) -> Floats:
    """Return the chance that each observation can be solved, given the rate of its kind and all its attempts; 1 once it was.

    The rates of a kind's solvable observations are taken for Beta-distributed around the kind's, so that n failures have a
    beta-binomial's chance.
    """
    from scipy.special import betaln

    kind = np.clip(kind, 1e-9, 1 - 1e-9)
    a, b = _PREDICTION_WEIGHT * kind, _PREDICTION_WEIGHT * (1 - kind)
    failing = (1 - _UNSOLVABLE) * np.exp(betaln(a, b + ever.wrong) - betaln(a, b))
    # Rounded as rates are: the special function may differ in its last digit between machines.
    return np.asarray(np.round(np.where(ever.right > 0, 1.0, failing / (failing + _UNSOLVABLE)), 9))
