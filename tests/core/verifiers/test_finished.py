"""A response is finished at the first end of a line by which the verifier reads one answer, and never before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.records import FinishReason, Observation, Outcome
from adastar_core.verifiers.finished import KINDS, finished
from adastar_core.verifiers.number import NumberVerifier
from adastar_core.verifiers.yes_no import YesNoVerifier

VERIFIERS = {"number": NumberVerifier(), "yes_no": YesNoVerifier()}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2 + 5 = 7\n#### 7\nA person took 8 rolls", "2 + 5 = 7\n#### 7"),
        ("So the answer is 7.\nQ. How many", "So the answer is 7."),
        ("**Answer: 7 apples**\n\nWait, that is wrong.", "**Answer: 7 apples**"),
        ("\\boxed{7}\n", "\\boxed{7}"),
        ("#### 7", None),
        ("The answer is 7. Wait", None),
        ("The answer is 7. Wait, it is 8.\n", None),
        ("The answer is not 7.\nThe answer is 8.\n", "The answer is not 7.\nThe answer is 8."),
        ("If it rains, the answer is 5.\nNo rain.\n", None),
        ("#### Step 1: add\n2 + 5 = 7\n#### 7\n", "#### Step 1: add\n2 + 5 = 7\n#### 7"),
        ("The answer is 10-3\n", None),
        ("The answer is 5 or 6\n", None),
        ("The answer is\n\n7\n", None),
        ("<think>#### 3\n", None),
        ("<think>#### 3\n</think>\n#### 7\nMore", "<think>#### 3\n</think>\n#### 7"),
        ("7\n7\n", None),
    ],
)
def test_where_a_number_is_finished(text: str, kept: str | None) -> None:
    place = finished(text, "number")
    assert (None if place is None else text[:place]) == kept


def test_where_yes_or_no_is_finished() -> None:
    text = "It is cold. The answer is no longer clear.\nThe answer is no.\nSo what"
    assert text[: finished(text, "yes_no")] == "It is cold. The answer is no longer clear.\nThe answer is no."


pieces = st.sampled_from(
    ["\n", "#### ", "The answer is ", "7", "8", "yes", "no", ".", " ", "Wait, ", "not ", "or ", "<think>", "</think>",
     "\\boxed{7}", "Q: ", "So ", "if "]
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@given(st.lists(pieces, max_size=14), st.lists(pieces, max_size=6))
def test_the_place_is_where_the_verifier_first_decides_and_more_text_keeps_it(
    kind: str, words: list[str], more: list[str]
) -> None:
    text, verifier = "".join(words), VERIFIERS[kind]
    place = finished(text, kind)
    if place is None:
        return
    assert finished(text + "".join(more), kind) == place
    assert text[place] == "\n"
    asked = Observation("", "", {"number": "7", "yes_no": "yes"}[kind])
    verdict = verifier.verify(asked, text[:place], FinishReason.STOP)
    assert verdict.outcome is not Outcome.UNDECIDED
    assert verdict.extracted is not None
