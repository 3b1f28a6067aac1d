"""What every sampler must do, run on each of them."""

from collections.abc import Callable

import numpy as np
import pytest

from adastar_core import streams
from adastar_core.config import AdaStarSettings
from adastar_core.samplers import Sampler, Statistics
from adastar_core.samplers.adastar import AdaStarSampler
from adastar_core.samplers.catalogue import open_sampler, string_ranks
from adastar_core.samplers.random import RandomSampler
from adastar_core.selection import Visit

COUNT = 200
OPENERS: dict[str, Callable[[Statistics], Sampler]] = {
    "adastar": lambda statistics: AdaStarSampler(statistics, streams.tiebreak_ranks(3, COUNT), 2),
    "adad": lambda statistics: AdaStarSampler(statistics, streams.tiebreak_ranks(3, COUNT), 0),
    "random": lambda statistics: RandomSampler(statistics, seed=3),
}


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> Callable[[Statistics], Sampler]:
    return OPENERS[request.param]


def visits_of(sampler: Sampler, iteration: int, m: int = 60) -> list[Visit]:
    """Visit the first m observations; win rates follow from the position."""
    order = sampler.order(iteration)
    return [Visit(p, attempts=2, correct=p % 3, accepted=(1,) if p % 3 else (), first_try=p % 3 == 2) for p in
            (next(order) for _ in range(m))]  # fmt: skip


def test_order_is_a_permutation(opener: Callable[[Statistics], Sampler]) -> None:
    sampler = opener(Statistics.empty(COUNT))
    for iteration in range(1, 12):
        assert sorted(sampler.order(iteration)) == list(range(COUNT))
        sampler.observe(iteration, visits_of(sampler, iteration), 0.8)


def test_resumed_from_its_state_it_goes_on_the_same(opener: Callable[[Statistics], Sampler]) -> None:
    sampler = opener(Statistics.empty(COUNT))
    for iteration in range(1, 12):
        resumed = opener(sampler.state())
        assert list(resumed.order(iteration)) == list(sampler.order(iteration))
        assert resumed.observe(iteration, visits_of(resumed, iteration), 0.7) == sampler.observe(
            iteration, visits_of(sampler, iteration), 0.7
        )


def test_only_visited_observations_are_stamped(opener: Callable[[Statistics], Sampler]) -> None:
    sampler = opener(Statistics.empty(COUNT))
    visits = visits_of(sampler, 1)
    stamped = sampler.observe(1, visits, 0.5)
    marked = set(np.flatnonzero(sampler.state().last_iteration == 1).tolist())
    assert marked == {visit.position for visit in visits[:stamped]}


def test_state_is_a_copy(opener: Callable[[Statistics], Sampler]) -> None:
    sampler = opener(Statistics.empty(COUNT))
    sampler.state().last_iteration[:] = 9
    assert not sampler.state().last_iteration.any()


def test_random_order_differs_between_iterations_and_seeds() -> None:
    one = RandomSampler(Statistics.empty(COUNT), seed=1)
    assert list(one.order(1)) != list(one.order(2))
    assert list(one.order(1)) != list(RandomSampler(Statistics.empty(COUNT), seed=2).order(1))


def test_adastar_refuses_an_iteration_observed_before() -> None:
    sampler = OPENERS["adastar"](Statistics.empty(COUNT))
    visits = visits_of(sampler, 1)
    sampler.observe(1, visits, 1.0)
    with pytest.raises(ValueError, match="not after the last observed"):
        sampler.observe(1, visits, 1.0)


def test_adastar_refuses_visits_that_are_not_the_head() -> None:
    sampler = OPENERS["adastar"](Statistics.empty(COUNT))
    with pytest.raises(ValueError, match="head of the order"):
        sampler.observe(1, visits_of(sampler, 1)[1:], 1.0)


def test_official_tiebreak_is_string_order() -> None:
    ids = [f"id_{number}" for number in range(12)]
    assert string_ranks(ids).tolist() == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]
    sampler = open_sampler(AdaStarSettings(tiebreak="official"), 0, ids, Statistics.empty(12))
    assert [ids[position] for position in sampler.order(1)][:4] == ["id_0", "id_1", "id_10", "id_11"]


def test_seeded_tiebreaks_are_unique_and_stay_when_the_pool_grows() -> None:
    ranks = streams.tiebreak_ranks(7, 100_000)
    assert len(np.unique(ranks)) == 100_000
    assert np.array_equal(ranks[:1000], streams.tiebreak_ranks(7, 1000))
    assert not np.array_equal(ranks[:1000], streams.tiebreak_ranks(8, 1000))
