"""MoPPS as published: a Beta posterior per observation, weakened by its own later visits, and the draws nearest one half first.

Source: Qu et al. 2025, "Can prompt difficulty be online predicted for accelerating RL finetuning of reasoning models?"
(arXiv 2507.04632) and its code, recipe/ours/mopps.py: a visit with s right of k attempts sets
alpha = memory alpha + (1 - memory) alpha_0 + s and beta = memory beta + (1 - memory) beta_0 + k - s; other observations keep
theirs. A batch is those of some random candidates whose draws from Beta(alpha, beta) are nearest the target.
:mod:`adastar_core.samplers.thompson` differs: there each iteration weakens every posterior, so that what was not visited for
long counts as new, and all of the pool are candidates.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Floats, Stamps, Statistics
from adastar_core.samplers.sorted import Key, RememberingSampler
from adastar_core.settings import setting


class MoPPSSettings(BaseSamplerSettings):
    """Candidates whose drawn success rate is nearest a target first; a posterior is weakened by its own visits alone."""

    type: Literal["mopps"] = "mopps"
    target: float = setting(0.5, "Target", "Success rate that teaches most.", ge=0, le=1)
    prior: float = setting(1.0, "Prior", "Right and wrong attempts assumed for each observation.", gt=0)
    memory: float = setting(
        0.5,
        "Memory",
        "Factor of what was known at each visit (the paper's lambda); 1 never forgets.",
        ge=0,
        le=1,
    )
    candidates: int | None = setting(
        None,
        "Candidates",
        "Observations drawn at random in each iteration, which come first; default: all.",
        ge=1,
    )

    @property
    def predicts(self) -> bool:
        return True

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "MoPPSSampler":
        return MoPPSSampler(statistics, seed, self)


class MoPPSSampler(RememberingSampler):
    """Order by the distance of the drawn rate from the target, candidates first; both are drawn from ``("mopps", t)``."""

    def __init__(self, statistics: Statistics, seed: int, settings: MoPPSSettings) -> None:
        super().__init__(statistics, seed)
        self._settings = settings
        self._right, self._wrong = np.zeros((2, len(statistics.last_iteration)))

    def keys(self, iteration: int) -> tuple[Key, ...]:
        settings, count = self._settings, len(self._right)
        draw = streams.rng(self.seed, "mopps", iteration)
        rate = draw.beta(self._right + settings.prior, self._wrong + settings.prior)
        place = draw.permutation(count)
        is_candidate = place < (count if settings.candidates is None else settings.candidates)
        return ~is_candidate, np.abs(rate - settings.target)

    def recall(self, stamps: Stamps) -> None:
        # Without the prior, which it is blended with, a posterior's count is memory times the old one and the new attempts.
        seen, memory = stamps.positions, self._settings.memory
        self._right[seen] = memory * self._right[seen] + stamps.correct
        self._wrong[seen] = memory * self._wrong[seen] + stamps.attempts - stamps.correct

    def predict(self) -> Floats:
        """Return the posterior means; half for an observation that was never stamped."""
        prior = self._settings.prior
        return (self._right + prior) / (self._right + self._wrong + 2 * prior)
