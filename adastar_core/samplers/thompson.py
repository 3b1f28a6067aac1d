"""Thompson sampling: draw a success rate from each observation's Beta posterior, visit those nearest the target.

After MoPPS (arXiv 2507.04632). The posterior of an observation counts all its stamped attempts, and each iteration
weakens what is known, because the model changes: Beta(prior + right, prior + wrong) with right and wrong the sums over
stamps of memory^age. What was not tried for long counts as new, and so comes back.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from adastar_core import streams
from adastar_core.samplers import BaseSamplerSettings, Floats, Statistics
from adastar_core.samplers.fading import FadingSampler
from adastar_core.samplers.sorted import Key
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

    @property
    def predicts(self) -> bool:
        return True

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> "ThompsonSampler":
        return ThompsonSampler(statistics, seed, self)


class ThompsonSampler(FadingSampler):
    """Order by the distance of the drawn rate from the target; the draw of iteration t is stream ``("thompson", t)``."""

    def __init__(self, statistics: Statistics, seed: int, settings: ThompsonSettings) -> None:
        super().__init__(statistics, seed, settings.memory)
        self._settings = settings

    def keys(self, iteration: int) -> tuple[Key, ...]:
        prior = self._settings.prior
        draw = streams.rng(self.seed, "thompson", iteration)
        return (
            np.abs(draw.beta(self.counts.right + prior, self.counts.wrong + prior) - self._settings.target),
        )

    def predict(self) -> Floats:
        """Return the posterior means; half for an observation that was never stamped."""
        prior = self._settings.prior
        return (self.counts.right + prior) / (self.counts.attempts + 2 * prior)
