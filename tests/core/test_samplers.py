"""What every sampler must do, run on each of them."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from adastar_core import streams
from adastar_core.errors import ConfigError
from adastar_core.samplers import Allocating, Remembering, Sampler, Stamps, Statistics
from adastar_core.samplers.adastar import AdaStarSettings, string_ranks
from adastar_core.samplers.catalogue import AnySamplerSettings, SamplerSettings, open_sampler
from adastar_core.samplers.custom import CustomSettings
from adastar_core.samplers.random import RandomSampler
from adastar_core.selection import Budget, Judged, Visit

COUNT = 200
IDS = [f"id_{number}" for number in range(COUNT)]
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


def parse(values: dict[str, object]) -> AnySamplerSettings:
    return TypeAdapter(SamplerSettings).validate_python(values)


def opened(settings: AnySamplerSettings, statistics: Statistics, past: Sequence[Stamps] = ()) -> Sampler:
    return open_sampler(settings, 3, IDS[: len(statistics.last_iteration)], statistics, lambda: past)


def visits_of(sampler: Sampler, iteration: int, m: int = 60) -> list[Visit]:
    """Visit the first m observations; win rates follow from position and iteration."""
    order = sampler.order(iteration)
    positions = [next(order) for _ in range(m)]
    return [Visit(p, 2, (p + iteration) % 3, (1,) if p % 3 else (), first_try=p % 3 == 2) for p in positions]


def state(sampler: Sampler) -> Statistics:
    statistics = getattr(sampler, "_own", sampler).statistics  # no part of the protocol
    assert isinstance(statistics, Statistics)
    return statistics.copy()


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


def statistics_of(last: list[int], correct: list[int], attempts: list[int]) -> Statistics:
    return Statistics(*(np.array(values, dtype=np.int32) for values in (last, correct, attempts)))


def test_random_order_differs_between_iterations_and_seeds() -> None:
    one = RandomSampler(Statistics.empty(COUNT), seed=1)
    assert list(one.order(1)) != list(one.order(2))
    assert list(one.order(1)) != list(RandomSampler(Statistics.empty(COUNT), seed=2).order(1))


def test_adastar_refuses_an_iteration_observed_before() -> None:
    sampler = opened(AdaStarSettings(), Statistics.empty(COUNT))
    visits = visits_of(sampler, 1)
    sampler.observe(1, visits, 1.0)
    with pytest.raises(ValueError, match="not after the last observed"):
        sampler.observe(1, visits, 1.0)


def test_adastar_refuses_visits_that_are_not_the_head() -> None:
    sampler = opened(AdaStarSettings(), Statistics.empty(COUNT))
    with pytest.raises(ValueError, match="head of the order"):
        sampler.observe(1, visits_of(sampler, 1)[1:], 1.0)


SEEN = statistics_of(last=[2, 1, 1, 0], correct=[0, 1, 0, 0], attempts=[2, 1, 2, 0])


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ({"type": "adastar", "tiebreak": "official"}, [3, 2, 1, 0]),
        ({"type": "adastar", "tiebreak": "official", "win_rate": False}, [3, 1, 2, 0]),
        ({"type": "flipped"}, [3, 2, 0, 1]),
    ],
)
def test_adastar_and_its_ablations_order_by_what_they_say(
    values: dict[str, object], order: list[int]
) -> None:
    assert list(opened(parse(values), SEEN).order(3)) == order


def test_without_the_curriculum_every_visit_is_stamped() -> None:
    for values, stamped in (({"type": "adastar", "power": 0}, 60), ({"type": "flipped"}, 15)):
        sampler = opened(parse(values), Statistics.empty(COUNT))
        assert sampler.observe(1, visits_of(sampler, 1), 0.5) == stamped


def test_variance_puts_the_uncertain_first_and_retests_the_others() -> None:
    statistics = statistics_of(last=[1, 1, 1], correct=[2, 1, 0], attempts=[2, 2, 2])
    sampler = opened(parse({"type": "variance", "retest_failed": 2, "retest_solved": 4}), statistics)
    assert next(iter(sampler.order(2))) == 1
    assert next(iter(sampler.order(3))) == 2
    assert set(list(sampler.order(5))[:2]) == {0, 2}


def thompson(past: Sequence[Stamps], **values: object) -> Remembering:
    sampler = opened(parse({"type": "thompson", **values}), Statistics.empty(COUNT), past)
    assert isinstance(sampler, Remembering)
    return sampler


def halves(iteration: int, even: int, odd: int, attempts: int) -> Stamps:
    """Every observation stamped, those at even and those at odd positions with so many right attempts."""
    positions = np.arange(COUNT, dtype=np.int32)
    return Stamps(
        iteration, positions, np.where(positions % 2, odd, even), np.full(COUNT, attempts, dtype=np.int32)
    )


def test_thompson_draws_near_the_target_more_often_where_the_rate_is_near() -> None:
    sampler = thompson([halves(1, even=99, odd=50, attempts=100)])
    order = list(sampler.order(2))
    assert all(position % 2 for position in order[:100])
    assert order != list(sampler.order(3))


def test_thompson_s_posterior_counts_every_stamp() -> None:
    rare = [halves(iteration, even=2, odd=1, attempts=2) for iteration in range(1, 60)]
    assert all(position % 2 for position in list(thompson(rare, memory=1).order(60))[:90])
    assert not all(position % 2 for position in list(thompson(rare[-1:], memory=1).order(60))[:90])


def test_thompson_forgets_what_is_long_ago() -> None:
    turned = [halves(1, even=50, odd=100, attempts=100), halves(30, even=100, odd=50, attempts=100)]
    assert all(position % 2 for position in list(thompson(turned).order(31))[:100])
    assert not all(position % 2 for position in list(thompson(turned, memory=1).order(31))[:100])


def test_band_puts_the_rates_inside_first() -> None:
    statistics = statistics_of(last=[1, 1, 2, 1, 0], correct=[2, 1, 1, 0, 0], attempts=[2, 2, 2, 2, 0])
    assert list(opened(parse({"type": "band"}), statistics).order(3))[:3] == [4, 1, 2]


def test_dart_wants_equally_many_or_in_proportion_to_the_difficulty() -> None:
    statistics = statistics_of(last=[1, 1, 0], correct=[4, 1, 0], attempts=[4, 4, 0])
    uniform, proportional = (
        opened(parse({"type": "dart", "target": target, "wanted": 4, "attempts": 9}), statistics)
        for target in ("uniform", "prop2diff")
    )
    assert isinstance(uniform, Allocating)
    assert isinstance(proportional, Allocating)
    assert [uniform.budget(position, []) for position in range(3)] == [Budget(9, 4)] * 3
    assert [proportional.budget(position, []).wanted for position in range(3)] == [1, 3, 4]


def boundary_budget(sampler: Sampler, *rights: bool) -> Budget:
    assert isinstance(sampler, Allocating)
    return sampler.budget(0, [Judged(k, hinted=False, right=right) for k, right in enumerate(rights, 1)])


def test_boundary_spends_its_attempts_on_the_boundary() -> None:
    sampler = opened(parse({"type": "boundary", "first": 2, "attempts": 6}), Statistics.empty(3))
    assert boundary_budget(sampler) == Budget(2)
    assert boundary_budget(sampler, True, True) == boundary_budget(sampler, False, False) == Budget(2)
    assert boundary_budget(sampler, True, False) == Budget(6)


@pytest.mark.parametrize(
    ("attempts", "at_boundary"),
    [
        ([2, 2, 2, 4], 10),  # one of four at the boundary: the 4 * (4 - 2) attempts left are its own
        ([4, 4, 4, 4], 4),
        ([2, 9, 9, 2], 6),
        ([2, 2, 2, 2], 10),  # none: as if there had been one
        ([2] * 60 + [4], 12),  # never more than the most
    ],
)
def test_boundary_gets_what_the_others_did_not_use(attempts: list[int], at_boundary: int) -> None:
    settings = parse({"type": "boundary", "first": 2, "attempts": 4, "most": 12})
    sampler = opened(settings, statistics_of([1] * 80, [1] * 80, [9] * 80))
    sampler.observe(2, [Visit(p, k, 1, (1,), first_try=True) for p, k in enumerate(attempts)], 0.5)
    assert boundary_budget(sampler, True, False) == Budget(at_boundary)
    assert boundary_budget(opened(settings, state(sampler)), True, False) == Budget(at_boundary)


ORDER_ALONE = """
class Hardest:
    def __init__(self, statistics, seed, observation_ids):
        self.statistics = statistics

    def order(self, iteration):
        return iter(self.statistics.win_rate().argsort(kind="stable").tolist())

class Twice(Hardest):
    def budget(self, position, judged):
        from adastar_core.selection import Budget
        return Budget(2)

class Counting(Hardest):
    recalled = 0

    def recall(self, stamps):
        self.recalled += len(stamps.positions)

    def order(self, iteration):
        count = len(self.statistics.win_rate())
        first = self.recalled - count // 2
        return iter([(first + place) % count for place in range(count)])
"""


def own(folder: Path, name: str, past: Sequence[Stamps] = ()) -> Sampler:
    (folder / "own.py").write_text(ORDER_ALONE)
    settings = parse({"type": "custom", "path": f"{folder / 'own.py'}:{name}"})
    return opened(settings, Statistics.empty(COUNT), past)


def test_a_sampler_of_your_own_needs_an_order_alone(tmp_path: Path) -> None:
    """Every visit is stamped, in the statistics that it was made with."""
    sampler = own(tmp_path, "Hardest")
    visits = visits_of(sampler, 1)
    assert sampler.observe(1, visits, 0.5) == len(visits)
    solved = {visit.position for visit in visits if visit.correct == visit.attempts}
    assert solved
    assert set(list(sampler.order(2))[-len(solved) :]) == solved
    assert not isinstance(sampler, Allocating | Remembering)


def test_the_default_for_observe_keeps_what_else_a_sampler_has(tmp_path: Path) -> None:
    sampler = own(tmp_path, "Twice")
    assert isinstance(sampler, Allocating)
    assert sampler.budget(0, []) == Budget(2)
    sampler = own(tmp_path, "Counting", [halves(1, even=1, odd=0, attempts=2)])
    assert next(iter(sampler.order(2))) == COUNT - COUNT // 2
    sampler.observe(2, [Visit(4, 2, 1, (1,), first_try=True)], 0.5)
    assert next(iter(sampler.order(3))) == COUNT - COUNT // 2 + 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", "order failed .*not iterable"),
        ("return [0] * 3", "position 0 twice"),
        ("return [0, 1]", "left out 1 of 3 positions, the first is 2"),
        ("return [0, 1, 3]", "position 3, not one of 0 to 2"),
        ("return [-1, 0, 1]", "position -1"),
        ("return [0.0, 1.0, 2.0]", "order failed .*float"),
        ("yield 1; raise KeyError('mid')", "order failed .*KeyError: 'mid'.*own.py, line 6"),
        ("self.asked += 1; return [[0, 1, 2], [2, 1, 0]][self.asked % 2]", "two different orders"),
    ],
)
def test_what_a_sampler_of_your_own_orders_is_checked_before_a_run(
    tmp_path: Path, body: str, words: str
) -> None:
    text = f"class Own:\n asked = 0\n def __init__(self, *_): ...\n\n def order(self, iteration):\n  {body}\n"
    (tmp_path / "own.py").write_text(text)
    settings = CustomSettings(path=f"{tmp_path / 'own.py'}:Own")
    with pytest.raises(ConfigError, match=rf"(?s)sampler\.path.*{words}"):
        settings.check(0, ["a", "b", "c"])


def test_numbers_of_numpy_are_positions_and_stamps(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import numpy as np\nclass Own:\n def __init__(self, *_): ...\n"
        " def order(self, iteration): return np.arange(3)\n"
        " def observe(self, iteration, visits, alpha): return np.int64([0, 1, 9][iteration])\n"
    )
    sampler = CustomSettings(path=f"{tmp_path / 'own.py'}:Own").open(Statistics.empty(3), 0, ["a", "b", "c"])
    assert [type(position) for position in sampler.order(1)] == [int] * 3
    visits = [Visit(0, 1, 1, (1,), first_try=True)]
    assert type(sampler.observe(1, visits, 0.5)) is int
    with pytest.raises(ConfigError, match="observe returned 9, not one of 0 to 1"):
        sampler.observe(2, visits, 0.5)


@pytest.mark.parametrize(
    ("body", "words"),
    [("(self): ...", "cannot be called"), ("(self, *_): open('/no')", "FileNotFound.*line 2")],
)
def test_what_its_constructor_raises_is_told_with_its_line(tmp_path: Path, body: str, words: str) -> None:
    (tmp_path / "own.py").write_text(f"class Own:\n def __init__{body}\n")
    with pytest.raises(ConfigError, match=words):
        CustomSettings(path=f"{tmp_path / 'own.py'}:Own").open(Statistics.empty(1), 0, ["a"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return 2", "budget returned a int, not an"),
        ("return judged[7]", "budget failed .*IndexError.*line 4"),
    ],
)
def test_what_a_sampler_of_your_own_allots_is_checked(tmp_path: Path, body: str, words: str) -> None:
    (tmp_path / "own.py").write_text(
        f"class Own:\n def __init__(self, *_): ...\n def budget(self, position, judged):\n  {body}\n"
        " def order(self, iteration): return iter(range(3))\n"
    )
    sampler = CustomSettings(path=f"{tmp_path / 'own.py'}:Own").open(Statistics.empty(3), 0, ["a", "b", "c"])
    assert isinstance(sampler, Allocating)
    with pytest.raises(ConfigError, match=words):
        sampler.budget(0, [])


def test_an_edit_of_equal_size_within_a_second_is_seen(tmp_path: Path) -> None:
    """Python's cached bytecode would be taken for it."""
    file, stamp = tmp_path / "own.py", 1_700_000_000
    for text in (ORDER_ALONE, ORDER_ALONE.replace("Hardest", "Easiest")):
        file.write_text(text)
        os.utime(file, (stamp, stamp))
        name = "Hardest" if text == ORDER_ALONE else "Easiest"
        settings = parse({"type": "custom", "path": f"{file}:{name}"})
        assert sorted(opened(settings, Statistics.empty(2)).order(1)) == [0, 1]


def test_a_path_to_a_file_may_begin_at_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.py").write_text(ORDER_ALONE)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list(
        opened(parse({"type": "custom", "path": "~/own.py:Hardest"}), Statistics.empty(2)).order(1)
    ) == [0, 1]


def test_a_sampler_of_an_installed_package_is_named_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's files lie as pip leaves them."""
    (tmp_path / "harder.py").write_text(ORDER_ALONE)
    metadata = tmp_path / "harder-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harder\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[adastar.samplers]\nhardest = harder:Hardest\n")
    monkeypatch.syspath_prepend(tmp_path)
    sampler = opened(parse({"type": "custom", "path": "hardest"}), Statistics.empty(COUNT))
    assert list(sampler.order(1)) == list(range(COUNT))
    with pytest.raises(ConfigError, match=r"'hardesst' is no entry point of adastar.samplers .*\bhardest\b"):
        opened(parse({"type": "custom", "path": "hardesst"}), Statistics.empty(COUNT))


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


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nosuch.module:Sampler", "nosuch"),
        ("{folder}/nosuch.py:Sampler", "nosuch.py"),
        ("{folder}/own.py:Forwards", "has no 'Forwards'"),
        ("{folder}/own.py:Unfinished", r"no order\(iteration\)"),
    ],
)
def test_a_sampler_that_cannot_be_used_is_refused(tmp_path: Path, path: str, words: str) -> None:
    (tmp_path / "own.py").write_text(OWN.replace("Unfinished = dict", "def Unfinished(*_): return {}"))
    with pytest.raises(ConfigError, match=words):
        opened(parse({"type": "custom", "path": path.format(folder=tmp_path)}), Statistics.empty(3))
