"""Extraction: which answer counts, and that no text whatever raises."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adastar_core.records import Choice, FinishReason, Observation, Outcome
from adastar_core.verifiers.catalogue import CAN_FALL_BACK, VERIFIER_NAMES, open_verifier
from adastar_core.verifiers.declarations import declared_answers, without_declared_answers
from adastar_core.verifiers.own import own_part

SCIENCE = tuple(
    Choice(label, text) for label, text in zip("ABCD", ["a dog", "the wind", "iron", "A"], strict=True)
)
REFERENCES = {"number": "72", "choice": "B", "yes_no": "yes", "label": "B", "exact": "the wind"}
PIECES = [
    "The answer is ",
    "the answer is not ",
    "Answer: ",
    "#### ",
    "\\boxed{",
    "}",
    "72",
    "-",
    "1,080",
    "½",
    "１",
    "(B)",
    "B",
    "A",
    "yes",
    "no",
    " or ",
    "the wind",
    ".",
    "\n",
    "Q: ",
    "$",
    "\\frac{1}{2}",
    "%",
    " million",
    "**",
    "²",
    "\u2212",
    "e9",
    "/",
    "=",
    "{",
    "\\text{",
    " because ",
]
mutated = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=14).map("".join)


@pytest.mark.parametrize("name", sorted(REFERENCES))
@given(response=st.one_of(mutated, st.text(max_size=80)), finish=st.sampled_from(list(FinishReason)))
@settings(max_examples=150)
def test_no_response_raises_and_none_is_decided_when_cut(
    name: str, response: str, finish: FinishReason
) -> None:
    choices = SCIENCE if name in ("choice", "label") else ()
    observation = Observation("x", "", REFERENCES[name], choices)
    for fall_back in {False, name in CAN_FALL_BACK}:
        verdict = open_verifier(name, fall_back=fall_back).verify(observation, response, finish)  # type: ignore[arg-type]
        assert verdict.reason
        if finish is FinishReason.LENGTH:
            assert verdict.outcome is Outcome.UNDECIDED
        if verdict.outcome is Outcome.RIGHT:
            assert verdict.extracted
            assert verdict.found_by


@given(mutated)
def test_a_right_answer_stays_no_longer_right_when_another_is_declared(before: str) -> None:
    observation = Observation("x", "", "72")
    verdict = open_verifier("number").verify(observation, f"{before}\n#### 72\n#### 73", FinishReason.EOS)
    assert verdict.outcome is not Outcome.RIGHT


def test_the_english_article_is_no_answer() -> None:
    observation = Observation("x", "", "A", SCIENCE)
    for response in ("A dog barks.", "It is A dog that barks", "The answer is A friend of mine."):
        for fall_back in (False, True):
            verdict = open_verifier("choice", fall_back=fall_back).verify(
                observation, response, FinishReason.EOS
            )
            assert verdict.outcome is not Outcome.RIGHT, response


def test_a_hint_echoed_without_reasoning_is_no_declared_answer() -> None:
    observation = Observation("x", "", "B", SCIENCE)
    for response in ("(B)", " (B)\n", "B"):
        assert (
            open_verifier("choice").verify(observation, response, FinishReason.EOS).outcome is Outcome.WRONG
        )


@pytest.mark.parametrize(
    "next_question", ["\n\nQ: What is 2+2?\nA:", "\nQ: And?", "\nQuestion: next", "\n**Q:** next", " Q: next"]
)
def test_what_follows_a_second_question_does_not_count(next_question: str) -> None:
    observation = Observation("x", "", "72")
    verifier = open_verifier("number")
    right = verifier.verify(observation, f"#### 72{next_question} #### 4", FinishReason.EOS)
    wrong = verifier.verify(observation, f"#### 4{next_question} #### 72", FinishReason.EOS)
    late = verifier.verify(observation, f"Let me think.{next_question} #### 72", FinishReason.EOS)
    assert [one.outcome for one in (right, wrong, late)] == [Outcome.RIGHT, Outcome.WRONG, Outcome.WRONG]


def test_a_question_mark_of_the_alphabet_is_no_question() -> None:
    assert own_part("The FAQ: none. Answer: 5").text == "The FAQ: none. Answer: 5"


def test_every_pattern_is_found_once() -> None:
    text = "So the answer is 1.\nAnswer: 2\n#### 3\n\\boxed{4} THE ANSWER IS 5"
    assert sorted((one.pattern, one.text[:1]) for one in declared_answers(text)) == sorted(
        [
            ("The answer is X", "1"),
            ("Answer: X", "2"),
            ("#### X", "3"),
            ("\\boxed{X}", "4"),
            ("The answer is X", "5"),
        ]
    )


@pytest.mark.parametrize("name", VERIFIER_NAMES)
def test_versions_are_names_with_a_number(name: str) -> None:
    verifier = open_verifier(name)  # type: ignore[arg-type]
    assert re.match(rf"{name}/[1-9]", verifier.version)


@pytest.mark.parametrize(
    ("response", "rationale"),
    [
        ("48 + 24 = 72\n#### 72", "48 + 24 = 72"),
        ("It must be iron. So the answer is (C).", "It must be iron."),
        ("The answer is (C).", ""),
        ("Answer: 5", ""),
        ("We get \\boxed{5}", "We get"),
    ],
)
def test_the_rationale_is_what_is_not_the_answer(response: str, rationale: str) -> None:
    assert without_declared_answers(response).strip() == rationale


@pytest.mark.parametrize(
    "piece",
    [
        "#### ",
        "answer: ",
        "\\boxed{",
        "The answer is (",
        "Q:",
        "\n",
        " ",
        "*",
        "\\text{",
        "{",
        "1,",
        "1 ",
        "9",
        "(B) ",
    ],
)
@pytest.mark.parametrize("name", ["number", "choice", "yes_no", "label", "exact"])
def test_no_repetition_is_slow(name: str, piece: str) -> None:
    observation = Observation("x", "", REFERENCES[name], SCIENCE if name in ("choice", "label") else ())
    verifier = open_verifier(name)  # type: ignore[arg-type]
    many = piece * 20_000
    for response in (many, f"Answer: {many}", f"Answer: 1{many}1", f"Answer: 1\n{many}x"):
        start = time.process_time()
        verifier.verify(observation, response, FinishReason.EOS)
        assert time.process_time() - start < 1.0


@pytest.mark.parametrize("name", ["number", "choice", "yes_no", "label", "exact"])
def test_text_beyond_the_longest_answer_is_not_ignored(name: str) -> None:
    observation = Observation("x", "", REFERENCES[name], SCIENCE if name in ("choice", "label") else ())
    verifier = open_verifier(name)  # type: ignore[arg-type]
    for before in ("#### ", "The answer is ", "\\boxed{"):
        hidden = f"{before}{REFERENCES[name]}{' ' * 3000} or something else }}"
        assert verifier.verify(observation, hidden, FinishReason.EOS).outcome is not Outcome.RIGHT
        explained = f"The answer is {REFERENCES[name]}. {'I hope this helps. ' * 300}"
        if name != "exact":
            assert verifier.verify(observation, explained, FinishReason.EOS).outcome is Outcome.RIGHT
