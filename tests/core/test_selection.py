"""Selection against the transcription of Algorithm 1, on scripted outcomes of random instances."""

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adastar_core import streams
from adastar_core.samplers import Statistics
from adastar_core.samplers.adastar import AdaStarSampler
from adastar_core.selection import (
    Judged,
    Planned,
    Results,
    Rules,
    Selection,
    Visit,
    balance,
    close,
    next_attempts,
    stamp_count,
)
from adastar_core.selection.rules import WholePool
from tests.core.algorithm1 import Oracle


def is_right(seed: int, iteration: int, position: int, attempt: int, difficulty: float) -> bool:
    """The scripted model: each attempt is right or wrong by its own stream."""
    return streams.rng(seed, "scripted", iteration, position, attempt).random() > difficulty


def run_iteration(
    sampler: AdaStarSampler,
    iteration: int,
    rules: Rules,
    beta: int,
    batch_size: int,
    seed: int,
    difficulty: float,
) -> tuple[Selection, int]:
    """Plan, generate and verify in batches until the iteration closes; also return the attempts made."""
    results: dict[int, list[Judged]] = {}
    made = 0
    while planned := next_attempts(sampler.order(iteration), results, rules, beta, batch_size):
        for one in planned:
            right = is_right(seed, iteration, one.position, one.attempt, difficulty)
            results.setdefault(one.position, []).append(Judged(one.attempt, one.hinted, right))
        made += len(planned)
    return close(sampler.order(iteration), results, rules, beta), made


instances = st.fixed_dictionaries(
    {
        "count": st.integers(1, 60),
        "beta": st.integers(1, 70),
        "attempts": st.integers(1, 4),
        "until_correct": st.booleans(),
        "power": st.integers(0, 3),
        "seed": st.integers(0, 10_000),
        "difficulty": st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]),
        "batch_size": st.sampled_from([1, 2, 7, 512]),
    }
)


@settings(max_examples=200)
@given(instances)
def test_same_as_algorithm_1(instance: dict) -> None:
    count, seed, power = instance["count"], instance["seed"], instance["power"]
    tiebreak = streams.tiebreak_ranks(seed, count)
    oracle = Oracle.fresh(tiebreak.tolist())
    sampler = AdaStarSampler(Statistics.empty(count), tiebreak, power)
    rules = Rules(instance["attempts"], instance["until_correct"], rationalize=False, count_hinted_wins=True)
    for iteration in range(1, 7):
        args = (seed, iteration)
        visits, d_plus, alpha, stamped = oracle.iterate(
            iteration, instance["beta"], rules.attempts, rules.until_correct, power,
            lambda i, k, args=args: is_right(*args, i, k, instance["difficulty"]),
        )  # fmt: skip
        selection, _ = run_iteration(
            sampler, iteration, rules, instance["beta"], instance["batch_size"], seed, instance["difficulty"]
        )
        assert [visit.position for visit in selection.visits] == visits
        assert selection.accepted == d_plus
        assert selection.acceptance == alpha
        assert sampler.observe(iteration, selection.visits, selection.acceptance) == len(stamped)
        state = sampler.statistics
        assert state.last_iteration.tolist() == [oracle.last[i] for i in range(count)]
        assert state.win_rate().tolist() == [float(oracle.win[i]) for i in range(count)]


@settings(max_examples=50)
@given(instances)
def test_ring_rebuilt_from_its_state_gives_the_same_order(instance: dict) -> None:
    tiebreak = streams.tiebreak_ranks(instance["seed"], instance["count"])
    sampler = AdaStarSampler(Statistics.empty(instance["count"]), tiebreak, instance["power"])
    rules = Rules(instance["attempts"], instance["until_correct"], rationalize=False, count_hinted_wins=True)
    for iteration in range(1, 6):
        selection, _ = run_iteration(
            sampler, iteration, rules, instance["beta"], 8, instance["seed"], instance["difficulty"]
        )
        sampler.observe(iteration, selection.visits, selection.acceptance)
        rebuilt = AdaStarSampler(sampler.statistics, tiebreak, instance["power"])
        assert list(rebuilt.order(iteration + 1)) == list(sampler.order(iteration + 1))


@pytest.mark.parametrize("difficulty", [0.2, 0.4, 0.8])
def test_one_attempt_at_a_time_makes_no_surplus(difficulty: float) -> None:
    sampler = AdaStarSampler(Statistics.empty(2000), streams.tiebreak_ranks(0, 2000), 2)
    rules = Rules(2, until_correct=True, rationalize=False, count_hinted_wins=True)
    selection, made = run_iteration(sampler, 1, rules, 200, batch_size=1, seed=0, difficulty=difficulty)
    assert made == sum(visit.attempts for visit in selection.visits)


@pytest.mark.parametrize("until_correct", [False, True])
@pytest.mark.parametrize("difficulty", [0.2, 0.5, 0.8])
def test_looking_ahead_makes_few_waves_and_little_surplus(difficulty: float, until_correct: bool) -> None:
    rules = Rules(2, until_correct, rationalize=False, count_hinted_wins=True)
    results: dict[int, list[Judged]] = {}
    waves = made = 0
    while planned := next_attempts(range(20_000), results, rules, 1000, 256):
        for one in planned:
            right = is_right(0, 1, one.position, one.attempt, difficulty)
            results.setdefault(one.position, []).append(Judged(one.attempt, one.hinted, right))
        waves, made = waves + 1, made + len(planned)
    surplus = made - sum(visit.attempts for visit in close(range(20_000), results, rules, 1000).visits)
    assert waves <= 10
    assert surplus <= 0.05 * made


def test_a_model_that_is_never_right_is_not_given_the_whole_pool_at_once() -> None:
    rules = Rules(1, until_correct=True, rationalize=False, count_hinted_wins=True)
    results = {position: [Judged(1, False, False)] for position in range(100)}
    assert len(next_attempts(range(10**6), results, rules, 100, 64)) == 200


def test_new_observations_come_first() -> None:
    statistics = Statistics.empty(4)
    statistics.last_iteration[:3] = [2, 1, 2]
    statistics.attempts[:3], statistics.correct[:3] = 2, [1, 2, 0]
    sampler = AdaStarSampler(statistics, np.arange(4), 2)
    assert list(sampler.order(3)) == [3, 1, 2, 0]


def test_equal_fractions_are_equal_win_rates() -> None:
    statistics = Statistics(np.ones(2, np.int32), np.array([2, 1], np.int32), np.array([6, 3], np.int32))
    assert list(AdaStarSampler(statistics, np.array([1, 0]), 2).order(2)) == [1, 0]


def test_attempts_after_the_first_are_hinted_when_rationalizing() -> None:
    rules = Rules(3, until_correct=True, rationalize=True, count_hinted_wins=False)
    results: Results = {0: [Judged(1, hinted=False, right=False)]}
    assert next_attempts([0], results, rules, 1, 4) == [Planned(0, 2, hinted=True)]
    hinted_win = [Judged(1, hinted=False, right=False), Judged(2, hinted=True, right=True)]
    (visit,) = close([0], {0: hinted_win}, rules, 1).visits
    assert (visit.correct, visit.accepted, visit.first_try) == (0, (2,), False)


def test_a_rejected_rationale_is_right_but_not_accepted() -> None:
    """It wins and ends its observation's attempts as before; beta, D+ and acceptance go without it."""
    rules = Rules(2, until_correct=True, rationalize=False, count_hinted_wins=True)
    results: Results = {n: [Judged(1, hinted=False, right=True, rejected=n < 2)] for n in range(3)}
    assert next_attempts(range(5), results, rules, beta=1, batch_size=4) == []
    selection = close(range(5), results, rules, beta=1)
    assert [visit.win_rate for visit in selection.visits] == [1, 1, 1]
    assert (selection.accepted, selection.acceptance, selection.first_try) == ([(2, 1)], Fraction(1, 3), 1)
    wanted = next_attempts(range(5), results, rules, beta=2, batch_size=1)
    assert wanted == [Planned(3, 1, hinted=False)]


def test_closing_too_early_is_refused() -> None:
    rules = Rules(2, until_correct=True, rationalize=False, count_hinted_wins=True)
    with pytest.raises(ValueError, match="position 7 still needs"):
        close([7], {7: [Judged(1, hinted=False, right=False)]}, rules, 1)


def test_stamp_count_is_exact_where_floats_fall_short() -> None:
    short = [(a, m) for m in range(1, 200) for a in range(m + 1) if int(m * (a / m) ** 2) != a * a // m]
    assert short, "floats never fall short here, so this test shows nothing"
    assert all(stamp_count(m, Fraction(a, m), 2.0) == a * a // m for a, m in short)


@pytest.mark.parametrize(("power", "expected"), [(0, 10), (0.5, 7), (1, 5), (2, 2)])
def test_stamp_count_by_power(power: float, expected: int) -> None:
    assert stamp_count(10, Fraction(1, 2), power) == expected


@pytest.mark.parametrize(
    ("pool", "each", "visits"), [(1000, 0.5, 80), (1000, 0.3, 134), (50, 0.5, 50), (9, 0, 9)]
)
def test_visits_follow_from_the_stop(pool: int, each: float, visits: int) -> None:
    until_beta = Rules(2, until_correct=True, rationalize=False, count_hinted_wins=True)
    assert until_beta.visits(pool, each, beta=40) == visits
    assert replace(until_beta, stop=WholePool()).visits(pool, each, beta=40) == pool


def test_no_iteration_accepts_more_than_the_most() -> None:
    several = Rules(4, until_correct=False, rationalize=False, count_hinted_wins=True)
    assert several.accepted_at_most(1000, beta=40) == 43
    assert several.accepted_at_most(10, beta=80) == 40
    assert replace(several, cut_off=3).accepted_at_most(1000, beta=40) == 42
    assert replace(several, stop=WholePool()).accepted_at_most(1000, beta=40) == 4000


def test_nothing_right_selects_nothing() -> None:
    sampler = AdaStarSampler(Statistics.empty(5), streams.tiebreak_ranks(0, 5), 2)
    rules = Rules(2, until_correct=True, rationalize=False, count_hinted_wins=True)
    selection, _ = run_iteration(sampler, 1, rules, beta=3, batch_size=4, seed=0, difficulty=1.0)
    assert (selection.m, selection.accepted, selection.exhausted) == (5, [], True)
    assert sampler.observe(1, selection.visits, selection.acceptance) == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=40), st.integers(0, 9))
def test_balanced_classes_have_equally_many_of_what_was_accepted(
    visited: list[tuple[int, int]], seed: int
) -> None:
    visits = tuple(
        Visit(place, 4, accepted, tuple(range(1, accepted + 1)), first_try=bool(accepted))
        for place, (_, accepted) in enumerate(visited)
    )
    selected = Selection(visits, exhausted=False)
    balanced = balance(selected, lambda position: str(visited[position][0]), np.random.default_rng(seed))
    before, after = (
        [Counter(visited[place][0] for place, _ in one.accepted)] for one in (selected, balanced)
    )
    assert set(after[0]) == set(before[0])
    assert set(after[0].values()) <= {min(before[0].values(), default=0)}
    assert set(balanced.accepted) <= set(selected.accepted)
    assert [(one.attempts, one.correct) for one in balanced.visits] == [
        (one.attempts, one.correct) for one in visits
    ]
