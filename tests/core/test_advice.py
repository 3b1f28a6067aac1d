"""Advice from a first iteration, on samples whose success rates are known."""

from dataclasses import replace

import numpy as np
import pytest

from adastar_core.planning.advice import Sampled, advise, fit_rates
from adastar_core.planning.advising import advice_lines, method_for

POOL = 4000
VISITED = 1500
Rates = np.ndarray[tuple[int], np.dtype[np.float64]]


def sample(rates: Rates, questions: list[str], most: int = 2, training: float = 2.0) -> Sampled:
    """Return a first iteration in which each observation is tried until it is right, ``most`` times at most."""
    draws = np.random.default_rng(3).random((len(rates), most)) < rates[:, None]
    right = draws.any(axis=1)
    attempts = np.where(right, draws.argmax(axis=1) + 1, most)
    return Sampled(
        questions=questions,
        attempts=attempts,
        right=right.astype(np.int64),
        accepted=int(right.sum()),
        most_attempts=most,
        pool=POOL,
        iterations=10,
        generation=1.0,
        training=training,
    )


def by_length() -> Sampled:
    """The longer a question, the less often it is solved: nearly always up to 2 words, never from 6 on."""
    lengths = np.arange(VISITED) % 10 + 1
    rates = 1 / (1 + np.exp(2.5 * (lengths - 4.0)))
    return sample(rates, [" ".join(["word"] * length) for length in lengths])


def unrelated() -> Sampled:
    """As often solved as :func:`by_length`, but no word tells which."""
    told = by_length()
    random = np.random.default_rng(4).permutation(VISITED)
    return sample(
        1 / (1 + np.exp(2.5 * (np.arange(VISITED) % 10 - 3.0))), [told.questions[place] for place in random]
    )


def test_the_fit_finds_the_rates_that_made_the_visits() -> None:
    rates = np.random.default_rng(1).beta(0.5, 1.5, size=20_000)
    one = sample(rates, [""] * len(rates), most=4)
    a, b = fit_rates(one.attempts, one.right)
    assert (a, b) == pytest.approx((0.5, 1.5), rel=0.1)


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.98])
def test_a_pool_of_one_kind_leaves_an_order_nothing_to_choose(rate: float) -> None:
    advice = advise(sample(np.full(VISITED, rate), ["the same"] * VISITED))
    assert advice.by_question is not None
    assert advice.by_question[1] < 0.05
    if rate == 0.5:  # few successes, or few failures, leave the bound loose
        assert advice.at_best is not None
        assert advice.at_best < 0.3


@pytest.mark.parametrize(("rate", "said"), [(0.0, "no attempt was right"), (1.0, "every attempt was right")])
def test_a_pool_that_is_solved_or_hopeless_is_said_to_be(rate: float, said: str) -> None:
    alike = sample(np.full(VISITED, rate), ["the same"] * VISITED)
    advice = advise(alike)
    assert advice.by_question is None
    assert said in advice_lines(alike, advice)[2]


def test_no_order_saves_anything_where_the_whole_pool_is_visited() -> None:
    told = replace(by_length(), pool=VISITED)
    advice = advise(told)
    assert (advice.by_question, advice.at_best) == (None, None)
    assert advice.near_certain is not None
    lines = advice_lines(told, advice)
    assert "needs the whole pool" in lines[2]
    assert "Thinning" in lines[3]
    assert method_for(told, advice) == "adastar"
    assert "no order is expected" not in lines[4]


def test_an_order_pays_where_the_words_tell_the_difficulty() -> None:
    """Most of the pool is always or never solved, so whoever knows lengths finds the few that teach."""
    told = by_length()
    advice = advise(told)
    assert advice.by_question is not None
    saved, low, high = advice.by_question
    assert 0.2 < low < saved < high
    assert advice.at_best == pytest.approx(saved, abs=0.2)
    assert method_for(told, advice) == "frontier"
    assert "Method: frontier" in " ".join(advice_lines(told, advice))


def test_no_order_by_words_is_named_where_they_tell_nothing() -> None:
    untold = unrelated()
    advice = advise(untold)
    assert advice.by_question is not None
    assert advice.by_question[1] < 0.1
    assert advice.at_best is not None
    assert advice.at_best > 0.25  # each observation's own visits could tell
    assert method_for(untold, advice) == "thompson"


def test_near_certain_rationales_are_a_share_of_all_training() -> None:
    solved = advise(sample(np.full(VISITED, 0.99), ["easy"] * VISITED)).near_certain
    hard = advise(sample(np.full(VISITED, 0.3), ["hard"] * VISITED)).near_certain
    assert solved == pytest.approx(2 / 3, abs=0.05)  # a visit costs 1, training on it 2
    assert hard is not None
    assert hard < 0.02


def test_attempts_that_do_not_stop_at_a_success_cost_and_give_more() -> None:
    """Five attempts at what is always solved give five rationales, so nearly all training is on what is known."""
    draws = np.random.default_rng(5).random((VISITED, 5)) < np.tile([0.99, 0.05], VISITED // 2)[:, None]
    one = replace(
        sample(
            np.full(VISITED, 0.5), [f"{'easy' if place % 2 == 0 else 'hard'}" for place in range(VISITED)]
        ),
        attempts=np.full(VISITED, 5),
        right=draws.sum(axis=1),
        accepted=int(draws.sum()),
        most_attempts=5,
        stops=False,
    )
    advice = advise(one)
    assert advice.near_certain is not None
    assert 0.7 < advice.near_certain < 5.2 / 6.2  # a visit costs 1 and each of its 2.6 rationales 2
    assert advice.by_question is not None
    assert advice.by_question[1] > 0.1  # hard ones cost less and teach more


@pytest.mark.parametrize(("most", "visited"), [(1, VISITED), (2, 50)])
def test_too_little_to_go_by_is_said(most: int, visited: int) -> None:
    few = sample(np.full(visited, 0.5), ["?"] * visited, most=most)
    advice = advise(few)
    assert (advice.by_question, advice.at_best, advice.near_certain) == (None, None, None)
    assert ("too few" if most > 1 else "attempts: 1") in advice_lines(few, advice)[2]
    assert method_for(few, advice) == "adastar"


def test_the_same_visits_give_the_same_advice() -> None:
    assert advise(by_length()) == advise(by_length())
