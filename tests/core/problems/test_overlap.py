"""Decontamination finds exactly the pairs that comparing all of them finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.problems.overlap import NEAR, overlap
from adastar_core.records import Observation
from adastar_core.shingles import Outline, tokens

texts = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "1", "+", "-"]), min_size=1, max_size=9).map(
    " ".join
)


def observations(questions: list[str], prefix: str) -> list[Observation]:
    return [Observation(f"{prefix}{number}", question, "1") for number, question in enumerate(questions)]


@given(st.lists(texts, max_size=12), st.lists(texts, max_size=12))
def test_it_agrees_with_comparing_all_pairs(train: list[str], test: list[str]) -> None:
    found = overlap(observations(train, "t"), observations(test, "x"))
    exact = [f"t{i}" for i, one in enumerate(train) if one in test]
    near = [
        f"t{i}"
        for i, one in enumerate(train)
        if one not in test
        and any(Outline.of(tokens(one)).likeness(Outline.of(tokens(other))) >= NEAR for other in test)
    ]
    assert found.observation_ids == (*exact, *near)
    assert (found.exact, found.near) == (len(exact), len(near))


def test_case_and_punctuation_do_not_hide_a_repetition() -> None:
    found = overlap(observations(["What, exactly, IS it?"], "t"), observations(["what exactly is it"], "x"))
    assert (found.exact, found.near) == (1, 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 - 5", "3 + 5"),
        ("What is 3 * 5?", "What is 3 / 5?"),
        ("x > 3", "x < 3"),
        ("x \u2264 3", "x \u2265 3"),
        ("f(x) = 2x", "f(x) = -2x"),
        ("10\u00b2", "102"),
        ("3\u00bd", "31/2"),
        ("3.5", "35"),
        ("(3 - 5) * 2", "3 - (5 * 2)"),
        ("5!", "5"),
        ("3:5", "3 5"),
        ("20%", "20"),
        ("|x|", "x"),
        ("\u221a9", "9"),
    ],
)
def test_questions_that_differ_in_a_sign_are_different(one: str, other: str) -> None:
    story = "If Ann has some coins in her left pocket and as many coins in the right one as her brother Bob gave to her, how many are {}?"
    for question in ("{}", "What is {}?", story):
        first, second = question.format(one), question.format(other)
        found = overlap(observations([first], "t"), observations([second], "x"))
        assert (found.exact, found.near) == (0, 0), (first, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3 - 5", " 3-5 "),
        ("3 \u2212 5", "3 - 5"),
        ("What is 5?", "what is 5"),
        ('"Who," she asked, "is it?"', "Who, she asked, is it?"),
        ("a well-known, \u2018old\u2019 tale: it\u2019s long!", "A well known old tale it's long"),
        ("\uff13\u3000\uff0b\u30005", "3 + 5"),
        ("x\u00b2", "x^2"),
    ],
)
def test_spelling_alone_makes_no_other_question(one: str, other: str) -> None:
    found = overlap(observations([one], "t"), observations([other], "x"))
    assert (found.exact, found.near) == (1, 0), (tokens(one), tokens(other))
