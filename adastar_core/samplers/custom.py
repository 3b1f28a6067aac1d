"""A sampler of the user's own: ``docs/extending.md`` has an example, :mod:`adastar_core.machine.plugins` how it is named."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

from adastar_core import samplers
from adastar_core.errors import ConfigError
from adastar_core.machine.plugins import PluginSettings, call_plugin
from adastar_core.samplers import BaseSamplerSettings, Ordering, Sampler, Stamps, Statistics
from adastar_core.selection import Visit


class CustomSettings(BaseSamplerSettings, PluginSettings):
    """A sampler of your own, called with the statistics, the run's seed, the observation ids and the options."""

    type: Literal["custom"] = "custom"

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> Sampler:
        """Return the sampler that the path names; the statistics are its own to keep.

        Raises:
            ConfigError: It cannot be loaded, runs here may not execute it, or what it makes is no sampler.
        """
        own = statistics.copy()
        made = call_plugin(self.path, "samplers", "sampler.path", (own, seed, observation_ids), self.options)
        if isinstance(made, Sampler):
            return made
        if not isinstance(made, Ordering):
            raise ConfigError(
                f"sampler.path: {self.path} makes a {type(made).__name__}, which has no order(iteration). Add that method; "
                "docs/extending.md has an example."
            )
        return _StampingAll(made, own)


class _StampingAll:
    """Completes a sampler that lacks ``observe``: every visit is stamped in the statistics that it was made with."""

    def __init__(self, own: Ordering, statistics: Statistics) -> None:
        self._own, self._statistics = own, statistics
        if isinstance(own, samplers.Allocating):
            self.budget = own.budget
        if isinstance(own, samplers.Remembering):
            self.recall = own.recall

    def order(self, iteration: int) -> Iterator[int]:
        return self._own.order(iteration)

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        self._statistics.stamp(iteration, visits)
        if isinstance(self._own, samplers.Remembering):
            self._own.recall(Stamps.of(iteration, visits))
        return len(visits)
