"""What every sampler must do, run on each of them."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core import streams
from adastar_core.samplers import Allocating, Stamps, Statistics
from adastar_core.samplers.catalogue import AnySamplerSettings
from adastar_core.selection import Judged
from tests.support.samplers import COUNT, opened, parse, state, visits_of

OWN = """
from adastar_core.samplers.random import RandomSampler

class Backwards(RandomSampler):
    def __init__(self, statistics, seed, observation_ids, offset):
        super().__init__(statistics, seed)
        self._offset = offset

    def order(self, iteration):
        count = len(self.statistics.last_iteration)
        yield from ((self._offset - place) % count for place in range(count))

Unfinished = dict
"""
SETTINGS: dict[str, dict[str, object]] = {
    "adastar": {"type": "adastar"},
    "adad": {"type": "adastar", "power": 0},
    "adastar, no win rate": {"type": "adastar", "win_rate": False},
    "adastar, official": {"type": "adastar", "tiebreak": "official", "rounding": "round"},
    "flipped": {"type": "flipped"},
    "random": {"type": "random"},
    "variance": {"type": "variance"},
    "thompson": {"type": "thompson"},
    "mopps": {"type": "mopps"},
    "mopps among candidates": {"type": "mopps", "candidates": 50},
    "learnability": {"type": "learnability"},
    "learning progress": {"type": "learning-progress"},
    "gps": {"type": "gps"},
    "frontier": {"type": "frontier"},
    "band": {"type": "band"},
    "dart uniform": {"type": "dart"},
    "dart prop2diff": {"type": "dart", "target": "prop2diff"},
    "boundary": {"type": "boundary"},
    "custom": {"type": "custom", "options": {"offset": 5}},
}


@pytest.fixture(params=SETTINGS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> AnySamplerSettings:
    values = SETTINGS[request.param]
    if request.param == "custom":
        (tmp_path / "own.py").write_text(OWN)
        values = {**values, "path": f"{tmp_path / 'own.py'}:Backwards"}
    return parse(values)


def test_every_type_of_sampler_is_tested() -> None:
    tested = {values["type"] for values in SETTINGS.values()}
    assert tested == {settings.model_fields["type"].default for settings in get_args(AnySamplerSettings)}


def test_order_is_a_permutation(settings: AnySamplerSettings) -> None:
    sampler = opened(settings, Statistics.empty(COUNT))
    for iteration in range(1, 12):
        assert sorted(sampler.order(iteration)) == list(range(COUNT))
        sampler.observe(iteration, visits_of(sampler, iteration), 0.8)


def test_an_empty_pool_has_an_empty_order(settings: AnySamplerSettings) -> None:
    if settings.type != "custom":
        assert list(opened(settings, Statistics.empty(0)).order(1)) == []


def test_resumed_from_its_state_it_gives_the_same_order(settings: AnySamplerSettings) -> None:
    sampler, past = opened(settings, Statistics.empty(COUNT)), []
    for iteration in range(1, 12):
        resumed = opened(settings, state(sampler), past)
        assert list(resumed.order(iteration)) == list(sampler.order(iteration))
        visits = visits_of(sampler, iteration)
        again = resumed.observe(iteration, visits_of(resumed, iteration), 0.7)
        assert again == sampler.observe(iteration, visits, 0.7)
        past.append(Stamps.of(iteration, visits[:again]))
        assert all(map(np.array_equal, _arrays(state(resumed)), _arrays(state(sampler))))


def _arrays(state: Statistics) -> tuple[np.ndarray, ...]:
    return state.last_iteration, state.correct, state.attempts


def test_the_order_stays_within_an_iteration(settings: AnySamplerSettings) -> None:
    sampler = opened(settings, Statistics.empty(COUNT))
    assert list(sampler.order(1)) == list(sampler.order(1))


def test_only_visited_observations_are_stamped(settings: AnySamplerSettings) -> None:
    sampler = opened(settings, Statistics.empty(COUNT))
    visits = visits_of(sampler, 1)
    stamped = sampler.observe(1, visits, 0.5)
    assert stamped <= len(visits)
    marked = set(np.flatnonzero(state(sampler).last_iteration == 1).tolist())
    assert marked == {visit.position for visit in visits[:stamped]}


def test_a_sampler_leaves_the_statistics_that_it_is_given_alone(settings: AnySamplerSettings) -> None:
    given = Statistics.empty(COUNT)
    sampler = opened(settings, given)
    sampler.observe(1, visits_of(sampler, 1), 0.8)
    assert not given.last_iteration.any()


@given(rights=st.lists(st.booleans(), min_size=40, max_size=40))
@pytest.mark.parametrize("name", ["dart uniform", "dart prop2diff", "boundary"])
def test_an_allotted_visit_ends_and_never_takes_back_attempts(name: str, rights: list[bool]) -> None:
    sampler = opened(parse(SETTINGS[name]), Statistics.empty(COUNT))
    assert isinstance(sampler, Allocating)
    judged: list[Judged] = []
    while missing := sampler.budget(7, judged).missing(judged):
        assert missing.start == len(judged) + 1
        judged += [Judged(number, hinted=False, right=rights[number]) for number in missing]
    assert 1 <= len(judged) <= 12


def test_seeded_tiebreaks_are_unique_and_stay_when_the_pool_grows() -> None:
    ranks = streams.tiebreak_ranks(7, 100_000)
    assert len(np.unique(ranks)) == 100_000
    assert np.array_equal(ranks[:1000], streams.tiebreak_ranks(7, 1000))
    assert not np.array_equal(ranks[:1000], streams.tiebreak_ranks(8, 1000))
