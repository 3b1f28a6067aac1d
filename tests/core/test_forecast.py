"""What an iteration is expected to take, and what a card is asked for it."""

import random

import pytest

from adastar_core.config.files import resolve
from adastar_core.planning.cards import CARDS, Load, decoding_load
from adastar_core.planning.forecast import Assumptions, forecast, per_visit
from adastar_core.planning.texts import Texts

TEXTS = Texts(
    longest_prompt=90,
    longest_training_prompt=30,
    prompt=80.0,
    hinted_prompt=85.0,
    training_prompt=20.0,
    reference=5.0,
    sampled=100,
)
SCHEDULE = {"schedule": {"first_steps": 10, "growth": 2}, "trainer": {"batch_size": 8}, "attempts": 4}


@pytest.mark.parametrize(
    "values", [{}, {"attempt_mode": "independent"}, {"attempt_mode": "independent", "cut_off": 2}]
)
def test_a_visit_takes_what_a_simulated_one_takes(values: dict[str, object]) -> None:
    config = resolve({**SCHEDULE, **values})
    dice, made, accepted, solved = random.Random(0), 0, 0, 0
    for _ in range(20_000):
        right = [dice.random() < 0.3 for _ in range(4)]
        if config.attempt_mode == "until_correct":
            right = right[: right.index(True) + 1] if any(right) else right
        made += len(right)
        accepted += min(sum(right), config.cut_off or 4)
        solved += any(right)
    found = per_visit(config, 1 - 0.7**4, 4)
    assert found == pytest.approx((made / 20_000, accepted / 20_000), rel=0.02)
    assert solved / 20_000 == pytest.approx(1 - 0.7**4, rel=0.02)


def test_what_guessing_explains_is_not_expected_to_be_accepted() -> None:
    """With a level of 0.07 and two answers, 4 attempts must all be right."""
    config = resolve({**SCHEDULE, "attempt_mode": "independent", "filter": {"guessing": 0.07}})
    assert per_visit(config, 0.3, 4, options=2) == pytest.approx((4, 4 * 0.3), rel=1e-4)
    assert forecast(config, 1, 1000, TEXTS, Assumptions(0.3), 4, options=2).observations == 67  # 80 / 1.2


def test_tokens_follow_from_visits_and_lengths() -> None:
    found = forecast(resolve(SCHEDULE), 2, 1000, TEXTS, Assumptions(0.5, 30), 4)
    assert (found.observations, found.examples) == (320, 160)
    assert found.attempts == round(320 * 0.5 / (1 - 0.5**0.25))
    assert found.tokens.prompt_tokens == pytest.approx(found.attempts * 80, abs=40)
    assert found.tokens.generated_tokens == pytest.approx(found.attempts * 30, abs=15)
    assert found.tokens.train_tokens == 160 * (20 + 30)


def test_what_the_filter_asks_is_read_and_answered() -> None:
    plain = forecast(resolve(SCHEDULE), 2, 1000, TEXTS, Assumptions(0.5, 30), 4)
    rules = {"filter": {"consistent": True, "needed": True}}
    asking = forecast(resolve({**SCHEDULE, **rules}), 2, 1000, TEXTS, Assumptions(0.5, 30), 4)
    assert asking.tokens.prompt_tokens - plain.tokens.prompt_tokens == 160 * (80 + 80 + 30)
    assert asking.tokens.generated_tokens - plain.tokens.generated_tokens == 160 * 2 * 4


def test_an_exhausted_pool_trains_on_what_there_is_unless_it_repeats() -> None:
    assumptions = Assumptions(0.5)
    assert forecast(resolve(SCHEDULE), 2, 100, TEXTS, assumptions, 4).examples == 50
    repeating = resolve({**SCHEDULE, "trainer": {"batch_size": 8, "on_exhausted": "repeat"}})
    assert forecast(repeating, 2, 100, TEXTS, assumptions, 4).examples == 160


def test_hinted_attempts_read_the_answer_too() -> None:
    hinted = forecast(resolve({**SCHEDULE, "rationalize": True}), 1, 1000, TEXTS, Assumptions(0.5), 4)
    later = hinted.attempts - hinted.observations
    assert hinted.tokens.prompt_tokens == pytest.approx(hinted.observations * 80 + later * 85, abs=85)


def test_reference_answers_cost_no_generation() -> None:
    found = forecast(resolve({**SCHEDULE, "method": "sft"}), 1, 1000, TEXTS, Assumptions(0.5), 1)
    assert (found.attempts, found.tokens.generated_tokens) == (0, 0)
    assert found.tokens.train_tokens == found.examples * 25


def test_decoding_reads_the_weights_once_per_step_for_any_batch() -> None:
    few = decoding_load(1e12, 1000, 1, weight_bytes=10**9, context_tokens=100, cache_bytes_per_token=10**4)
    many = decoding_load(1e12, 1000, 100, weight_bytes=10**9, context_tokens=100, cache_bytes_per_token=10**4)
    assert few.read_bytes == pytest.approx(1000 * 1.001e9)
    assert many.read_bytes == pytest.approx(10 * 1.1e9)
    assert few.bound_by(CARDS["h100"]) == "memory"
    assert Load(1e18, 1e9).bound_by(CARDS["h100"]) == "arithmetic"
    assert Load(989e12, 1e9).seconds(CARDS["h100"], 4) == pytest.approx(0.25)
