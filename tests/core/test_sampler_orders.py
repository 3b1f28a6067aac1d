"""What each sampler orders by, and how many attempts those allot that do."""

from collections.abc import Sequence

import numpy as np
import pytest

from adastar_core.samplers import Allocating, Predicting, Remembering, Revising, Sampler, Stamps, Statistics
from adastar_core.samplers.adastar import AdaStarSettings, string_ranks
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.samplers.random import RandomSampler
from adastar_core.selection import Budget, Judged, Visit
from tests.support.samplers import COUNT, POOL, halves, opened, parse, state, statistics_of, visits_of


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


def once(iteration: int, positions: Sequence[int], correct: int, attempts: int) -> Stamps:
    """So many right attempts at each of some positions."""
    where = np.array(positions, dtype=np.int32)
    counts = (np.full(len(where), count, dtype=np.int32) for count in (correct, attempts, attempts * 10))
    return Stamps(iteration, where, *counts)


def among(positions: Sequence[int], first: Sequence[int]) -> float:
    """Return the share of ``first`` that is among ``positions``."""
    return len(set(positions) & set(first)) / len(first)


EVEN, ODD = range(0, COUNT, 2), range(1, COUNT, 2)


def test_mopps_draws_near_the_target_more_often_where_the_rate_is_near() -> None:
    order = list(opened(parse({"type": "mopps"}), Statistics.empty(COUNT), [halves(1, 99, 50, 100)]).order(2))
    assert among(ODD, order[:90]) == 1


def test_mopps_forgets_by_visits_and_not_by_time() -> None:
    """Where Thompson sampling forgets: long ago, half of the attempts at odd positions and none at even ones were right."""
    past = [halves(1, even=0, odd=50, attempts=100)]
    for name, forgets in (("mopps", False), ("thompson", True)):
        sampler = opened(parse({"type": name, "memory": 0.5}), Statistics.empty(COUNT), past)
        assert isinstance(sampler, Remembering)
        sampler.recall(once(40, [0], 1, 2))  # another visit, much later
        assert (among(ODD, list(sampler.order(41))[:90]) < 0.8) == forgets


def test_mopps_posterior_is_the_published_one() -> None:
    """memory alpha + (1 - memory) alpha_0 + s, by its mean over many observations with the same past."""
    past = [halves(1, 8, 8, 8), halves(2, 0, 0, 8)]
    sampler = opened(
        parse({"type": "mopps", "prior": 2, "memory": 0.5, "target": 0}), Statistics.empty(COUNT), past
    )
    (_, distance) = sampler.keys(3)  # type: ignore[attr-defined]
    alpha, beta = 0.5 * (0.5 * 2 + 0.5 * 2 + 8) + 0.5 * 2, 0.5 * 2 + 0.5 * 2 + 8
    assert float(np.mean(distance)) == pytest.approx(alpha / (alpha + beta), abs=0.03)


def test_mopps_visits_candidates_first_and_draws_new_ones_each_iteration() -> None:
    past = [halves(1, even=50, odd=100, attempts=100)]
    sampler = opened(parse({"type": "mopps", "candidates": 40}), Statistics.empty(COUNT), past)
    orders = [list(sampler.order(iteration)) for iteration in (2, 3)]
    assert all(0.3 < among(EVEN, order[:40]) < 0.7 for order in orders)
    assert set(orders[0][:40]) != set(orders[1][:40])


def test_learnability_takes_what_is_solved_sometimes_and_covers_the_rest() -> None:
    """Both halves were solved as often in the last visit; over all visits, only odd positions are uncertain."""
    statistics = statistics_of([3] * COUNT, [2] * COUNT, [2] * COUNT)
    statistics.last_iteration[:20] = 0
    past = [halves(1, even=2, odd=0, attempts=2), halves(2, even=2, odd=1, attempts=2), halves(3, 2, 2, 2)]
    past = [
        Stamps(
            one.iteration, *(values[20:] for values in (one.positions, one.correct, one.attempts, one.tokens))
        )
        for one in past
    ]
    order = list(opened(parse({"type": "learnability", "cover": 0.25}), statistics, past).order(4))
    assert among(range(20), order[:80]) == 20 / 80
    assert among([p for p in ODD if p >= 20], order[:80]) == 60 / 80


def test_learning_progress_takes_what_changes_either_way_and_explores_the_new() -> None:
    """Of every ten observations one was learned, one was forgotten, and the first 20 are new."""
    statistics = statistics_of([2] * COUNT, [1] * COUNT, [2] * COUNT)
    statistics.last_iteration[:20] = 0
    known, learned, forgotten = ([p for p in range(20, COUNT) if p % 10 == digit] for digit in (0, 1, 2))
    past = [
        once(1, [*known, *forgotten], 2, 2),
        once(1, learned, 0, 2),
        once(2, [*known, *learned], 2, 2),
        once(2, forgotten, 0, 2),
    ]
    order = list(opened(parse({"type": "learning-progress", "explore": 0.2}), statistics, past).order(3))
    assert among([*learned, *forgotten], order[:40]) == 32 / 40
    assert among(range(20), order[:40]) == 8 / 40


def by_words(name: str, words: int, rights: Sequence[int], tokens: Sequence[int]) -> list[int]:
    """Return the number of words of each question in the order after the questions below ``words`` words were tried.

    ``rights`` of 10 attempts were right at those of 1, 2, ... words, and an attempt had so many ``tokens``.
    """
    tried = np.array([p for p in range(COUNT // 2) if p % 8 < words], dtype=np.int32)
    right, length = (np.array([values[p % 8] for p in tried], dtype=np.int32) for values in (rights, tokens))
    past = [Stamps(1, tried, right, np.full(len(tried), 10, dtype=np.int32), 10 * length)]
    statistics = Statistics.empty(COUNT)
    statistics.last_iteration[tried] = 1
    order = opened(parse({"type": name}), statistics, past).order(2)
    return [len(POOL[position].question.split()) for position in order]


def test_gps_ranks_what_was_never_visited_by_its_question() -> None:
    """Nearest to one half are the questions of four words, of which only half were visited."""
    first = by_words("gps", 8, [10, 10, 9, 5, 1, 0, 0, 0], [10] * 8)
    assert first[:12] == [4] * 12


def test_frontier_takes_more_of_what_can_just_be_learned_and_leaves_the_hopeless() -> None:
    order = by_words("frontier", 8, [10, 10, 10, 8, 3, 0, 0, 0], [10] * 8)
    first = [order[:60].count(words) for words in range(1, 9)]
    assert first[4] == max(first)
    assert min(first[3:6]) > max(first[0], first[7])


def test_frontier_takes_the_shorter_of_equally_uncertain_questions() -> None:
    order = by_words("frontier", 8, [5] * 8, [10, 20, 40, 80, 160, 320, 640, 1280])
    assert order[:40].count(1) > 2 * order[:40].count(4)


def test_frontier_gives_a_share_of_places_to_the_least_recently_stamped() -> None:
    """Odd positions have never been right in a hundred attempts, and are the least recent."""
    statistics = statistics_of([1] * COUNT, [1] * COUNT, [2] * COUNT)
    statistics.last_iteration[::2] = 2
    past = [halves(1, even=0, odd=0, attempts=1000), halves(2, even=50, odd=0, attempts=100)]
    order = list(opened(parse({"type": "frontier", "recent": 0.25}), statistics, past).order(3))
    assert sum(position % 2 for position in order[:80]) in range(18, 30)


def test_a_revision_keeps_that_share_for_what_is_still_the_least_recent() -> None:
    """What this iteration has visited is not, so it takes no place of the share."""
    statistics = statistics_of([1] * COUNT, [1] * COUNT, [2] * COUNT)
    statistics.last_iteration[::2] = 2
    past = [halves(1, even=500, odd=0, attempts=1000)]
    frontier = opened(parse({"type": "frontier", "recent": 0.5}), statistics, past)
    assert isinstance(frontier, Revising)
    visits = [
        Visit(position, 1000, 500 * (position % 2 == 0), (), first_try=False, tokens=9000)
        for position in range(100)
    ]
    left = list(frontier.revised(3, visits))
    assert sorted(left) == list(range(100, COUNT))
    assert sum(position % 2 for position in left[:40]) >= 20


def one_in_ten_fails(iterations: int) -> list[Stamps]:
    """What so many iterations show of two attempts each: one of ten observations never right, the others 9 of 10 times."""
    positions = np.arange(COUNT, dtype=np.int32)
    made = np.full(COUNT, 2, np.int32)
    rights = [np.where(positions % 10, 2 - (positions % 5 == t % 5), 0) for t in range(iterations)]
    return [
        Stamps(t + 1, positions, right.astype(np.int32), made, made * 10) for t, right in enumerate(rights)
    ]


def test_frontier_puts_to_rest_what_fails_where_its_kind_is_solved() -> None:
    """As a wrong reference does. Before, its failures faded and its question promised more than what is known."""
    last = statistics_of([3] * COUNT, [1] * COUNT, [2] * COUNT)
    frontier = opened(parse({"type": "frontier", "recent": 0.01}), last, one_in_ten_fails(3))
    assert isinstance(frontier, Predicting)
    failing = np.arange(COUNT) % 10 == 0
    assert frontier.predict()[failing].max() < 0.1
    assert frontier.predict()[~failing].min() > 0.7
    place = np.argsort(list(frontier.order(4)))
    assert np.mean(place[failing]) > np.mean(place[~failing])


def test_one_right_attempt_wakes_an_observation_again() -> None:
    past = one_in_ten_fails(3)
    past[-1].correct[0] = 1
    last = statistics_of([3] * COUNT, [1] * COUNT, [2] * COUNT)
    frontier = opened(parse({"type": "frontier"}), last, past)
    assert isinstance(frontier, Predicting)
    assert frontier.predict()[0] > 0.5 > 0.1 > frontier.predict()[10]


def test_failures_from_before_its_kind_was_learned_are_not_held_against_an_observation() -> None:
    """Three iterations solve nothing, three more all that they visit, which is the even positions."""
    positions = np.arange(0, COUNT, 2, dtype=np.int32)
    made = np.full(len(positions), 2, np.int32)
    failed = [halves(t, even=0, odd=0, attempts=2) for t in (1, 2, 3)]
    solved = [Stamps(t, positions, made, made, made * 10) for t in (4, 5, 6)]
    last = statistics_of([6, 3] * (COUNT // 2), [2, 0] * (COUNT // 2), [2] * COUNT)
    frontier = opened(parse({"type": "frontier"}), last, [*failed, *solved])
    assert isinstance(frontier, Predicting)
    assert frontier.predict()[1::2].min() > 0.5


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


def test_official_tiebreak_is_string_order() -> None:
    ids = [f"id_{number}" for number in range(12)]
    assert string_ranks(ids).tolist() == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]
    sampler = open_sampler(AdaStarSettings(tiebreak="official"), 0, POOL[:12], Statistics.empty(12))
    assert [ids[position] for position in sampler.order(1)][:4] == ["id_0", "id_1", "id_10", "id_11"]
