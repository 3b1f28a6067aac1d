"""Predict from its words how often the model solves a question, for questions that it was never asked too.

A Bayesian logistic regression of the attempts so far on features of the questions. Older attempts count less, because the
model changes. After the idea of GPS (arXiv 2602.01970), which shares what all prompts have shown by a small network; here
the posterior is a Gaussian around its mode (Laplace), exact enough for a few dozen features and fitted in milliseconds.
"""

import itertools
import re
import zlib
from collections.abc import Sequence

import numpy as np

from adastar_core.samplers import Floats

_BUCKETS = 64
_STEPS = 25
_WORD = re.compile(r"\w+|[^\w\s]")
_DIGIT = re.compile(r"\d")


def features_of(questions: Sequence[str]) -> Floats:
    """Return a row of features for each question, standardised over all: lengths, numbers, and hashed shapes of words.

    A word's shape has 0 for every digit, so that numbers of the same length are alike.
    """
    if not questions:
        return np.empty((0, 0))
    rows = np.array([_features(question) for question in questions])
    spread = rows.std(axis=0)
    varied = rows[:, spread > 0]
    return np.asarray((varied - varied.mean(axis=0)) / spread[spread > 0])


def _features(question: str) -> list[float]:
    shapes = [_DIGIT.sub("0", word.lower()) for word in _WORD.findall(question)]
    numbers = [len(shape) for shape in shapes if shape[0] == "0"]
    sizes = (len(question), len(shapes), len(numbers), sum(numbers), max(numbers, default=0))
    counts = np.zeros(_BUCKETS)
    for shape in (*shapes, *map(" ".join, itertools.pairwise(shapes))):
        counts[zlib.crc32(shape.encode()) % _BUCKETS] += 1
    return [*np.log1p(sizes), *np.log1p(counts)]


def predicted_lengths(features: Floats, tokens: Floats, attempts: Floats) -> Floats:
    """Return each observation's expected tokens per attempt: a ridge regression of the logarithm on its features."""
    tried = np.flatnonzero(attempts)
    design = np.hstack([np.ones((len(features), 1)), features])
    seen, weights = design[tried], attempts[tried]
    lengths = np.log(np.maximum(tokens[tried] / attempts[tried], 1))  # a reference has no tokens
    penalty = np.diag([0.0, *np.ones(features.shape[1])])
    mean = np.linalg.solve((seen.T * weights) @ seen + penalty, seen.T @ (weights * lengths))
    known = np.clip(design @ mean, lengths.min(), lengths.max())  # no length is told that was never seen
    return np.asarray(np.exp(np.round(known, 9)))


class Difficulty:
    """The posterior of a logistic regression of success on features.

    Args:
        features: Standardised, shape (N, features).
        scale: Standard deviation of each weight before anything is known.
    """

    def __init__(self, features: Floats, scale: float = 1.0) -> None:
        self._design = np.hstack([np.ones((len(features), 1)), features])
        precisions = np.full(self._design.shape[1], 1 / scale**2)
        precisions[0] = 1 / 9  # the intercept: any rate is possible
        self._prior = np.diag(precisions)
        self._mode, self._precision = np.zeros(len(precisions)), self._prior

    def fit(self, right: Floats, wrong: Floats) -> None:
        """Fit to the weighted numbers of right and wrong attempts, each of shape (N,), by Newton's method."""
        tried = np.flatnonzero(right + wrong)
        self._mode = np.zeros(
            len(self._prior)
        )  # not the last fit's: a resumed run has none, and must find the same
        design, successes, attempts = self._design[tried], right[tried], (right + wrong)[tried]
        for _ in range(_STEPS):
            rates = _sigmoid(design @ self._mode)
            self._precision = self._prior + (design.T * (attempts * rates * (1 - rates))) @ design
            slope = design.T @ (successes - attempts * rates) - self._prior @ self._mode
            step = np.linalg.solve(self._precision, slope)
            self._mode = self._mode + step / max(1.0, float(np.abs(step).max()))
            if np.abs(step).max() < 1e-6:
                return

    def likeliest(self) -> Floats:
        """Return every observation's success rate by the likeliest weights: near 0 where nothing like it was ever solved."""
        return _sigmoid(self._design @ self._mode)

    def predict(self) -> Floats:
        """Return every observation's success rate, the posterior's uncertainty averaged over (MacKay's approximation).

        So rates are nearer to one half than :meth:`likeliest` has them.
        """
        half = np.linalg.solve(np.linalg.cholesky(self._precision), self._design.T)
        variance = (half**2).sum(axis=0)
        return _sigmoid(self._design @ self._mode / np.sqrt(1 + np.pi / 8 * variance))

    def draw(self, random: np.random.Generator) -> Floats:
        """Return every observation's success rate by one set of weights drawn from the posterior."""
        factor = np.linalg.cholesky(self._precision)
        weights = self._mode + np.linalg.solve(factor.T, random.standard_normal(len(self._mode)))
        return _sigmoid(self._design @ weights)


def _sigmoid(scores: Floats) -> Floats:
    # Rounded, so that equal questions are equal: matrix products round by the number of threads and the place of a row.
    return np.asarray(np.round(0.5 * (1 + np.tanh(scores / 2)), 9))
