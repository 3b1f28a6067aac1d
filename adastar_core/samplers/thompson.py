"""Thompson sampling: draw a success rate from each observation's Beta posterior, visit those nearest the target.

After MoPPS (arXiv 2507.04632). The posterior of an observation counts all its stamped attempts, and each iteration
weakens what is known, because the model changes: Beta(prior + right, prior + wrong) with right and wrong the sums over
stamps of memory^age. What was not tried for long counts as new, and so comes back.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Stamps, Statistics
from adastar_core.samplers.sorted import Key, SortedSampler
from adastar_core.selection import Visit
from adastar_core.settings import setting


class ThompsonSettings(BaseSamplerSettings):
    """Observations whose drawn success rate is nearest a target first."""

    type: Literal["thompson"] = "thompson"
    target: float = setting(0.5, "Target", "Success rate that teaches most.", ge=0, le=1)
    prior: float = setting(1.0, "Prior", "Right and wrong attempts assumed for each observation.", gt=0)
    memory: float = setting(
        0.8,
        "Memory",
        "Factor of an attempt's weight in each iteration; 1 never forgets.",
        ge=0,
        le=1,
    )

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "ThompsonSampler":
        return ThompsonSampler(statistics, seed, self)


class ThompsonSampler(SortedSampler):
    """Order by the distance of the drawn rate from the target; the draw of iteration t is stream ``("thompson", t)``."""

    def __init__(self, statistics: Statistics, seed: int, settings: ThompsonSettings) -> None:
        super().__init__(statistics, seed)
        self._settings = settings
        self._right, self._wrong = np.zeros((2, len(statistics.last_iteration)))
        self._recalled = 0

    def keys(self, iteration: int) -> tuple[Key, ...]:
        prior = self._settings.prior
        draw = streams.rng(self.seed, "thompson", iteration)
        return (np.abs(draw.beta(self._right + prior, self._wrong + prior) - self._settings.target),)

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        stamped = super().observe(iteration, visits, alpha)
        self.recall(Stamps.of(iteration, visits[:stamped]))
        return stamped

    def recall(self, stamps: Stamps) -> None:
        # The model changes, so older attempts say less: each iteration since weakens them by ``memory``.
        fading = self._settings.memory ** (stamps.iteration - self._recalled)
        self._right *= fading
        self._wrong *= fading
        self._right[stamps.positions] += stamps.correct
        self._wrong[stamps.positions] += stamps.attempts - stamps.correct
        self._recalled = stamps.iteration
