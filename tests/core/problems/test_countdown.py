"""Countdown: disjoint, seeded, growing splits, solvable puzzles, any right solution, and an exact checker."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adastar_core.config.files import load_preset, resolve
from adastar_core.errors import DataError
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.countdown import (
    LARGEST_TARGET,
    Countdown,
    CountdownSettings,
    parse_question,
    rationale,
)
from adastar_core.records import FinishReason, Observation, Outcome, Split
from adastar_core.verifiers.expressions import combined, number, parse

PUZZLE = Observation("3 4 7 -> 25", "3 4 7 -> 25", "3*7+4")


def problem(**values: int | tuple[int, ...]) -> Countdown:
    return Countdown(CountdownSettings.model_validate(values))


ITEMS = st.sampled_from(Split).flatmap(lambda split: st.sampled_from(problem().load(split)))


@pytest.mark.parametrize("seed", [0, 1, 99])
def test_no_puzzle_is_in_two_splits_whatever_the_data_seed(seed: int) -> None:
    found = {split: {item.question for item in problem(seed=seed).load(split)} for split in Split}
    train = {item.question for item in problem(train=16_000).load(Split.TRAIN)}
    assert not train & found[Split.VALIDATION]
    assert not train & found[Split.TEST]
    assert not found[Split.VALIDATION] & found[Split.TEST]


@settings(max_examples=10, deadline=None)
@given(size=st.integers(1, 200), growth=st.integers(1, 200), seed=st.integers(0, 2**40))
def test_a_larger_split_begins_with_the_smaller_one(size: int, growth: int, seed: int) -> None:
    small = problem(train=size, seed=seed).load(Split.TRAIN)
    large = problem(train=size + growth, seed=seed).load(Split.TRAIN)
    assert large[:size] == small
    assert len({item.observation_id for item in large}) == size + growth


@settings(deadline=None)
@given(ITEMS)
def test_the_reference_solves_its_puzzle(item: Observation) -> None:
    countdown, puzzle, expression = problem(), parse_question(item.question), parse(item.answer)
    assert expression is not None
    assert (expression.numbers, expression.value) == (puzzle.numbers, puzzle.target)
    assert 1 <= puzzle.target <= LARGEST_TARGET
    assert puzzle.question == item.question
    assert item.difficulty == f"{len(puzzle.numbers)} numbers"
    reference = countdown.reference(item)
    assert countdown.verifier.verify(item, reference, FinishReason.EOS).outcome is Outcome.RIGHT
    assert countdown.rationale_is_correct(item, reference) is True


def test_most_puzzles_of_three_numbers_have_several_solutions_and_all_are_right() -> None:
    """All ways to join three numbers one after another, on either side."""
    countdown, several = problem(), 0
    items = [item for item in countdown.load(Split.VALIDATION) if item.difficulty == "3 numbers"][:40]
    for item in items:
        puzzle = parse_question(item.question)
        solutions = set()
        for a, b, c in permutations(map(number, puzzle.numbers)):
            for first in "+-*":
                for second in "+-*":
                    inner = combined(a, first, b)
                    joined = (combined(inner, second, c), combined(c, second, inner))
                    solutions |= {one.text for one in joined if one.value == puzzle.target}
        several += len(solutions) > 1
        for text in solutions:
            expression = parse(text)
            assert expression is not None
            response = rationale(expression)
            assert countdown.verifier.verify(item, response, FinishReason.EOS).outcome is Outcome.RIGHT
            assert countdown.rationale_is_correct(item, response) is True
        assert item.answer in solutions
    assert several > 0.8 * len(items)


@pytest.mark.parametrize(
    ("steps", "correct"),
    [
        ("7*3=21\n21+4=25", True),
        ("3-7=-4", False),
        ("4-7=-3\n-3*3=-9", False),
        ("3*7=21\n21+4=26", False),
        ("3*7=22\n22+4=26", False),
        ("3*7=21", False),
        ("3*7=21\n21+4=25\n25+0=25", False),
        ("7+7=14\n14+4=18\n18+7=25", False),
        ("5*5=25", False),
        ("I see it at once.", None),
    ],
)
def test_calculations_must_be_true_and_take_what_is_left(steps: str, correct: bool | None) -> None:
    assert problem().rationale_is_correct(PUZZLE, f"{steps}\n#### 3*7+4") is correct


def test_a_way_below_zero_is_correct_too() -> None:
    item = Observation("2 3 9 -> 8", "2 3 9 -> 8", "9+2-3")
    assert problem().rationale_is_correct(item, "2-3=-1\n-1+9=8\n#### 2-3+9") is True


def test_sizes_take_turns_by_weight_until_they_are_used_up() -> None:
    def sizes(**values: int | tuple[int, ...]) -> Counter[str | None]:
        return Counter(item.difficulty for item in problem(**values).load(Split.TRAIN))

    assert sizes(train=60) == {"2 numbers": 20, "3 numbers": 20, "4 numbers": 20}
    assert sizes(train=60, train_weights=(0, 2, 1)) == {"3 numbers": 40, "4 numbers": 20}
    assert sizes(train=3000)["2 numbers"] < 125
    with pytest.raises(DataError, match=r"problem\.train is 500, but only \d+ puzzles of at most 2 numbers"):
        problem(train=500, max_numbers=2).load(Split.TRAIN)
    with pytest.raises(ValidationError, match=r"must be 2 whole numbers.*max_numbers \(3\)"):
        CountdownSettings(max_numbers=3, train_weights=(1, 1, 1))


def test_prompts_show_a_solution_only_as_a_hint_or_an_example() -> None:
    countdown = problem()
    assert countdown.prompt(PUZZLE) == countdown.training_prompt(PUZZLE) == "3 4 7 -> 25\n"
    assert countdown.hinted_prompt(PUZZLE) == "3 4 7 -> 25 = 3*7+4\n"
    shown = countdown.evaluation_prompt(PUZZLE, 2)
    assert shown.endswith("3 4 7 -> 25\n")
    assert shown.count("####") == 2


def test_the_preset_opens_it_and_its_solutions_fit() -> None:
    config = resolve(load_preset("countdown"))
    countdown = open_problem(config.problem)
    assert isinstance(countdown, Countdown)
    longest = max(len(countdown.reference(item)) for item in countdown.load(Split.TRAIN))
    assert longest + 6 < config.generator.max_new_tokens


@pytest.mark.parametrize(("most", "raised"), [(3, True), (4, False)])
def test_too_few_puzzles_say_to_raise_the_numbers_only_where_that_is_possible(
    most: int, raised: bool
) -> None:
    with pytest.raises(DataError, match=r"lower problem\.train to") as error:
        problem(train=20_000, max_numbers=most).load(Split.TRAIN)
    assert ("raise problem.max_numbers" in str(error.value)) is raised
