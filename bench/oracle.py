"""An order that knows what no order can: how often the model solves additions of each length, from the first iteration on.

It chooses by the measure of ``frontier``, expected learning per unit of compute, and so shows how much of what that measure can
give a method takes. It knows additions by their length, and countdown by how many numbers there are. The first rates
are the packaged models', sampled at temperature 0.7; later ones are what all attempts at a kind have shown in the last
iterations. ``wrong`` is the problem's ``wrong_references``: it knows those too, of the default ``problem.seed``, and leaves them. Not for use: on your data
nobody tells the rates.

Run it:  python flows/compare.py --preset arithmetic-ladder --methods adastar,custom --set sampler.path=bench/oracle.py:Oracle
         python flows/compare.py --preset arithmetic-noisy --methods adastar,custom --set sampler.path=bench/oracle.py:Oracle \
           --set sampler.options='{wrong: 0.1}'
"""

from collections.abc import Sequence

import numpy as np

from adastar_core import streams
from adastar_core.problems.arithmetic import ArithmeticSettings
from adastar_core.problems.countdown import parse_question
from adastar_core.records import Observation
from adastar_core.samplers import Floats, Statistics
from adastar_core.samplers.fading import FadingSampler
from adastar_core.samplers.sorted import Key, mixed, ranks

ADDITIONS = (
    np.array([0.75, 0.63, 0.39, 0.19, 0.07, 0.005, 0, 0, 0, 0, 0, 0]),
    np.array([20, 33, 45, 57, 69, 81, 82, 84, 86, 88, 89, 88]),
)
"""By number of digits less one: ``tiny-adder``'s share of first attempts right (6,827 attempts), and an attempt's tokens."""
PUZZLES = (np.array([0.78, 0.33, 0.055]), np.array([25, 37, 49]))
"""The same of ``tiny-countdown`` by how many numbers there are, less two (2,400 attempts)."""
RECENT = 0.1
"""As frontier's: the share of the places that go to the least recently stamped."""


class Oracle(FadingSampler):
    """Draws the order as ``frontier`` does, with each kind's rate instead of one predicted from the question."""

    def __init__(
        self, statistics: Statistics, seed: int, observation_ids: Sequence[str], wrong: float = 0.0
    ) -> None:
        super().__init__(statistics, seed, memory=0.5)
        problem = ArithmeticSettings(wrong_references=wrong)
        pool = (Observation(name, name, "") for name in observation_ids)
        self._never = np.array([problem.is_mislabelled(observation) for observation in pool])

    def read(self, questions: Sequence[str]) -> None:
        puzzles = "->" in questions[0]
        self._base, tokens = PUZZLES if puzzles else ADDITIONS
        self._kinds = np.array([_numbers(one) - 2 if puzzles else _digits(one) - 1 for one in questions])
        self._tokens = tokens[self._kinds]

    def keys(self, iteration: int) -> tuple[Key, ...]:
        random = streams.rng(self.seed, "oracle", iteration)
        noise = random.gumbel(size=len(self.counts.right))
        rate = np.where(self._never, 0.0, self._rates()[self._kinds])
        attempts = self.counts.attempts
        value = rate * (1 - rate) / np.sqrt(1 + attempts) / (self._tokens * (2 + 6 * rate))
        drawn = np.log(np.maximum(value, 1e-9)) + noise
        return (mixed(ranks(-drawn), ranks(self.statistics.last_iteration, noise), RECENT),)

    def _rates(self) -> Floats:
        """Return each kind's rate, where the base model's counts as much as ten attempts."""
        true = ~self._never  # attempts at wrong references say nothing of a kind
        right, wrong = (
            np.bincount(self._kinds[true], count[true], len(self._base))
            for count in (self.counts.right, self.counts.wrong)
        )
        return np.asarray((10 * self._base + right) / (10 + right + wrong))


def _digits(question: str) -> int:
    return max(map(len, question.split("+")))


def _numbers(question: str) -> int:
    return len(parse_question(question).numbers)
