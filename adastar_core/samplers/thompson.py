"""Thompson sampling: draw a success rate from each observation's Beta posterior, visit those nearest the target.

After MoPPS (arXiv 2507.04632). Its posterior forgets, because the model changes; here it forgets all but the last
stamp: Beta(prior + correct, prior + wrong attempts).
"""

from typing import Literal

import numpy as np

from adastar_core import streams
from adastar_core.samplers import Statistics
from adastar_core.samplers.sorted import Key, SortedSampler
from adastar_core.settings import Settings, setting


class ThompsonSettings(Settings):
    """Observations whose drawn success rate is nearest a target first."""

    type: Literal["thompson"] = "thompson"
    target: float = setting(0.5, 0, "Target", "Success rate that teaches most.", ge=0, le=1)
    prior: float = setting(1.0, 1, "Prior", "Right and wrong attempts assumed of each observation.", gt=0)


class ThompsonSampler(SortedSampler):
    """Order by the distance of the drawn rate from the target; the draw of iteration t is stream ``("thompson", t)``."""

    def __init__(self, statistics: Statistics, seed: int, settings: ThompsonSettings) -> None:
        super().__init__(statistics, seed)
        self._settings = settings

    def keys(self, iteration: int) -> tuple[Key, ...]:
        """Return the distance between each observation's draw and the target."""
        right, wrong = self.statistics.correct, self.statistics.attempts - self.statistics.correct
        prior = self._settings.prior
        drawn = streams.generator(self.seed, "thompson", iteration).beta(right + prior, wrong + prior)
        return (np.abs(drawn - self._settings.target),)
