"""The arithmetic problem: disjoint, seeded, growing splits and an exact checker."""

import string
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from adastar_core.errors import DataError
from adastar_core.problems.arithmetic import (
    Addition,
    Arithmetic,
    ArithmeticSettings,
    additions,
    parse_question,
)
from adastar_core.records import FinishReason, Observation, Outcome, Split

seeds = st.integers(0, 2**40)
sizes = st.integers(1, 60)


@st.composite
def pairs(draw: st.DrawFn) -> Addition:
    digits = draw(st.integers(1, 8))
    low = 0 if digits == 1 else 10 ** (digits - 1)
    number = st.integers(low, 10**digits - 1)
    return Addition(draw(number), draw(number))


def problem(**values: int) -> Arithmetic:
    return Arithmetic(ArithmeticSettings(**values))


def unordered(observation: Observation) -> tuple[int, ...]:
    addition = parse_question(observation.question)
    return tuple(sorted((addition.a, addition.b)))


@settings(max_examples=25)
@given(seed=seeds, other_seed=seeds, size=st.integers(1, 150), max_digits=st.integers(2, 9))
def test_splits_are_disjoint_for_any_order_of_the_numbers_and_any_seed(
    seed: int, other_seed: int, size: int, max_digits: int
) -> None:
    one = problem(train=size, validation=size, test=size, max_digits=max_digits, seed=seed)
    other = problem(train=size, validation=size, test=size, max_digits=max_digits, seed=other_seed)
    train = {unordered(row) for row in one.load(Split.TRAIN)}
    validation = {unordered(row) for row in one.load(Split.VALIDATION)}
    test = {unordered(row) for row in other.load(Split.TEST)}
    assert not train & validation
    assert not train & test
    assert not validation & test


@settings(max_examples=20)
@given(seed=seeds, size=sizes, growth=sizes, max_digits=st.integers(2, 6), split=st.sampled_from(Split))
def test_a_larger_split_begins_with_the_smaller_one(
    seed: int, size: int, growth: int, max_digits: int, split: Split
) -> None:
    small = problem(**{split.value: size, "max_digits": max_digits, "seed": seed}).load(split)
    large = problem(**{split.value: size + growth, "max_digits": max_digits, "seed": seed}).load(split)
    assert large[:size] == small
    assert len({row.observation_id for row in large}) == size + growth


def test_the_data_of_a_seed_never_changes() -> None:
    questions = [row.question for row in problem(train=6).load(Split.TRAIN)]
    assert questions == ["2+5", "49+60", "536+284", "4674+1755", "68119+92660", "826195+490829"]


def test_another_seed_gives_other_questions() -> None:
    first, second = (problem(train=300, seed=seed).load(Split.TRAIN) for seed in (0, 1))
    shared = {row.question for row in first} & {row.question for row in second}
    assert len(shared) < 60


@pytest.mark.parametrize("split", Split)
def test_every_one_and_two_digit_pair_is_in_exactly_one_split(split: Split) -> None:
    mine = list(additions(split, 2, seed=3))
    assert len(mine) == len(set(mine))
    everything = [
        Addition(a, b)
        for low, high in ((0, 10), (10, 100))
        for a in range(low, high)
        for b in range(low, high)
    ]
    assert set(mine) == {addition for addition in everything if addition.split is split}


def test_lengths_are_even_except_where_one_runs_out() -> None:
    counts = dict.fromkeys("123456", 0)
    for row in problem(train=3000).load(Split.TRAIN):
        assert row.difficulty is not None
        counts[row.difficulty] += 1
    assert counts.pop("1") < 100
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_split_that_cannot_be_filled_names_the_field_and_what_there_is() -> None:
    with pytest.raises(DataError, match=r"problem\.test is 50, but only \d+ additions of at most 1 digits"):
        problem(test=50, max_digits=1).load(Split.TEST)


@pytest.mark.parametrize("field", ["train", "validation", "test", "max_digits"])
def test_a_size_below_one_is_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        ArithmeticSettings(**{field: 0})


@given(pairs())
def test_the_rationale_adds_up(addition: Addition) -> None:
    *steps, answer = addition.rationale.splitlines()
    carry, digits = 0, ""
    for place, step in enumerate(steps, start=1):
        left, total = step.split("=")
        a, b, carry_in = map(int, left.split("+"))
        assert (a, b, carry_in) == (int(str(addition.a)[-place]), int(str(addition.b)[-place]), carry)
        assert a + b + carry_in == int(total)
        carry, digits = int(total[0]), total[1] + digits
    assert answer == f"#### {addition.a + addition.b}"
    assert int(str(carry) + digits) == addition.a + addition.b


@given(addition=pairs(), data=st.data())
def test_the_checker_accepts_the_truth_and_refuses_every_single_character_corruption(
    addition: Addition, data: st.DataObject
) -> None:
    arithmetic = problem()
    row = Observation(addition.question, addition.question, str(addition.a + addition.b))
    truth = addition.rationale
    assert arithmetic.rationale_is_correct(row, truth)
    place = data.draw(st.integers(0, len(truth) - 1))
    for corrupted in corruptions(truth, place, data.draw(st.sampled_from(string.printable))):
        assert not arithmetic.rationale_is_correct(row, corrupted)


def corruptions(text: str, place: int, character: str) -> list[str]:
    deleted = text[:place] + text[place + 1 :]
    inserted = text[:place] + character + text[place:]
    replaced = text[:place] + character + text[place + 1 :]
    return [changed for changed in (deleted, inserted, replaced) if changed != text]


@given(pairs())
def test_the_verifier_judges_true_and_wrong_answers(addition: Addition) -> None:
    arithmetic = problem()
    row = Observation(addition.question, addition.question, str(addition.a + addition.b))
    wrong = addition.rationale.replace("#### ", "#### 1")
    verify = arithmetic.verifier.verify
    assert verify(row, addition.rationale, FinishReason.EOS).outcome is Outcome.RIGHT
    assert verify(row, wrong, FinishReason.EOS).outcome is Outcome.WRONG


def test_prompts_show_the_answer_only_as_a_hint() -> None:
    arithmetic = problem()
    row = Observation("347+585", "347+585", "932")
    assert arithmetic.prompt(row) == arithmetic.training_prompt(row) == "347+585\n"
    assert arithmetic.hinted_prompt(row) == "347+585=932\n"
    assert arithmetic.stop == ()


def test_the_sequence_does_not_depend_on_how_much_of_it_is_read() -> None:
    first = list(islice(additions(Split.TRAIN, 4, seed=5), 40))
    assert list(islice(additions(Split.TRAIN, 4, seed=5), 200))[:40] == first
