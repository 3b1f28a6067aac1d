"""A sampler of the user's own: ``docs/extending.md`` has an example, :mod:`adastar_core.machine.plugins` how it is named."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from operator import index
from typing import Literal

from adastar_core import samplers
from adastar_core.errors import ConfigError
from adastar_core.machine.plugins import PluginSettings, call_plugin, failure
from adastar_core.records import Observation
from adastar_core.samplers import BaseSamplerSettings, Ordering, Sampler, Stamps, Statistics
from adastar_core.samplers.revising import FIRST_REVISION, KeptRevisions
from adastar_core.selection import Budget, Judged, Visit

_MUST = {
    "order": "It must give every position once.",
    "revised": "It must give every position that is not visited yet, once.",
    "observe": "It must return how many visits it stamped, the first ones.",
    "budget": "It must return an adastar_core.selection.Budget.",
    "read": "It must take the questions, by position.",
}


class CustomSettings(BaseSamplerSettings, PluginSettings):
    """A sampler of your own, called with the statistics, the run's seed, the observation ids and the options."""

    type: Literal["custom"] = "custom"

    @property
    def begins_at_random(self) -> bool:
        return False

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> Sampler:
        """Return the sampler that the path names; the statistics are its own to keep.

        Raises:
            ConfigError: It cannot be loaded, runs here may not execute it, or what it makes is no sampler.
        """
        own = statistics.copy()
        made = call_plugin(self.path, "samplers", "sampler.path", (own, seed, observation_ids), self.options)
        if isinstance(made, type) or not isinstance(made, Ordering):
            raise ConfigError(
                f"sampler.path: {self.path} makes a {type(made).__name__}, which has no order(iteration). Add that method; "
                "docs/extending.md has an example."
            )
        return _OwnSampler(made, own, f"sampler.path: {self.path}")

    def check(self, seed: int, pool: Sequence[Observation]) -> None:
        """Make the sampler and ask it for an order and a revision, so that a mistake shows before a run begins.

        Raises:
            ConfigError: It cannot be used, or has another order when it is asked again.
        """
        sampler = self.open_for(Statistics.empty(len(pool)), seed, pool)
        assert isinstance(sampler, _OwnSampler)
        order = list(sampler.order(1))
        if order != list(sampler.order(1)):
            raise ConfigError(
                f"sampler.path: {self.path}.order(1) returned two different orders. Make it depend on the seed and the iteration "
                "alone: a run that resumes asks again."
            )
        visits = [Visit(p, 1, p % 2, (1,) * (p % 2), p % 2 == 1, tokens=10) for p in order[:FIRST_REVISION]]
        if sampler.ask_to_revise(1, visits) != sampler.ask_to_revise(1, visits):
            raise ConfigError(
                f"sampler.path: {self.path}.revised returned two different orders after the same visits. Make it depend on the seed, "
                "the iteration and the visits alone: a run that resumes asks again."
            )


class _OwnSampler:
    """Checks what a user's sampler returns. Without ``observe``, every visit is stamped in the statistics that it was made with."""

    def __init__(self, own: Ordering, statistics: Statistics, whose: str) -> None:
        self._own, self._statistics, self._whose = own, statistics, whose
        if isinstance(own, samplers.Allocating):
            self.budget = partial(self._checked_budget, own)
        if isinstance(own, samplers.Remembering):
            self.recall = own.recall
        if isinstance(own, samplers.Reading):
            self.read = partial(self._checked_read, own)
        if isinstance(own, samplers.Revising):
            self.revised = self._kept_revision
            self._revisions = KeptRevisions()

    def order(self, iteration: int) -> Iterator[int]:
        yield from self._checked("order", partial(self._own.order, iteration), ())

    def _kept_revision(self, iteration: int, visits: Sequence[Visit]) -> Iterator[int]:
        ask = partial(self.ask_to_revise, iteration, visits)
        return self._revisions.get(iteration, len(visits), ask)

    def ask_to_revise(self, iteration: int, visits: Sequence[Visit]) -> list[int]:
        """Return the rest of the iteration's order after these visits; nothing where the sampler revises no order."""
        if not isinstance(self._own, samplers.Revising):
            return []
        visited = [visit.position for visit in visits]
        # A tuple of its own: what the user's code does to it must not reach the iteration's visits.
        asked = partial(self._own.revised, iteration, tuple(visits))
        return list(self._checked("revised", asked, visited))

    def _checked(
        self, method: str, given: Callable[[], Iterator[int]], visited: Sequence[int]
    ) -> Iterator[int]:
        """Yield what a method of the user's gives: every position once, but those that are visited already."""
        count = len(self._statistics.last_iteration)
        seen = bytearray(count)
        known = frozenset(visited)
        for position in known:
            seen[position] = True
        for position in self._positions(method, given):
            if not 0 <= position < count:
                raise self._wrong(method, f"gave the position {position}, not one of 0 to {count - 1}")
            if position in known:
                raise self._wrong(method, f"gave the position {position}, which is visited already")
            if seen[position]:
                raise self._wrong(method, f"gave the position {position} twice")
            seen[position] = True
            yield position
        if missing := seen.count(0):
            raise self._wrong(
                method, f"left out {missing} of {count} positions, the first is {seen.index(0)}"
            )

    def _positions(self, method: str, given: Callable[[], Iterator[int]]) -> Iterator[int]:
        try:
            yield from map(index, given())  # index: NumPy's integers too
        except Exception as error:
            raise self._wrong(method, f"failed {failure(error)}") from error

    def _checked_read(self, own: samplers.Reading, questions: Sequence[str]) -> None:
        try:
            own.read(questions)
        except Exception as error:
            raise self._wrong("read", f"failed {failure(error)}") from error

    def _checked_budget(self, own: samplers.Allocating, position: int, judged: Sequence[Judged]) -> Budget:
        try:
            budget: object = own.budget(position, judged)
        except Exception as error:
            raise self._wrong("budget", f"failed {failure(error)}") from error
        if not isinstance(budget, Budget):
            raise self._wrong(
                "budget", f"returned a {type(budget).__name__}, not an adastar_core.selection.Budget"
            )
        return budget

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        if isinstance(self._own, Sampler):
            try:
                stamped = index(self._own.observe(iteration, visits, alpha))
            except Exception as error:
                raise self._wrong("observe", f"failed {failure(error)}") from error
            if not 0 <= stamped <= len(visits):
                raise self._wrong("observe", f"returned {stamped}, not one of 0 to {len(visits)}")
            return stamped
        self._statistics.stamp(iteration, visits)
        if isinstance(self._own, samplers.Remembering):
            self._own.recall(Stamps.of(iteration, visits))
        return len(visits)

    def _wrong(self, method: str, what: str) -> ConfigError:
        return ConfigError(f"{self._whose}.{method} {what}. {_MUST[method]}")
