"""The order of an iteration whose sampler learns from the iteration's own visits."""

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from adastar_core.samplers import Revising, Sampler
from adastar_core.selection import Results, Rules, Visit, find_visit

FIRST_REVISION = 128
"""Visits before the first revision. Each later one comes after twice as many: waves stay large, and fits are few."""


def order_given(sampler: Sampler, iteration: int, results: Results, rules: Rules) -> Iterator[int]:
    """Yield positions in order of visit, as far as the verdicts so far decide it.

    A revision waits for all visits before it, so until they are settled the order ends there. It follows from verdicts alone:
    planning a wave again, and replaying a closed iteration, find the same one.
    """
    order = sampler.order(iteration)
    if not isinstance(sampler, Revising):
        yield from order
        return
    visits: list[Visit] = []
    while block := list(islice(order, max(FIRST_REVISION, len(visits)))):
        yield from block
        for position in block:
            if (visit := find_visit(position, results, rules)) is None:
                return
            visits.append(visit)
        order = sampler.revised(iteration, tuple(visits))


class KeptRevisions:
    """The revisions of the iteration at work. Every wave asks for them again, and closing the iteration must find the same."""

    def __init__(self) -> None:
        self._iteration = 0
        self._kept: dict[int, array[int]] = {}

    def get(self, iteration: int, visits: int, revise: Callable[[], Iterable[int]]) -> Iterator[int]:
        """Yield what ``revise`` gave when it was first called after so many visits."""
        if iteration != self._iteration:
            self._iteration, self._kept = iteration, {}
        if visits not in self._kept:
            self._kept[visits] = array("l", revise())
        yield from self._kept[visits]
