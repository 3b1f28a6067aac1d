"""What holds of every response: a reasoning block before it changes nothing, nothing that takes it back leaves it right."""

import time
from functools import cache

import pytest

from adastar_core.records import FinishReason, Outcome, Verdict
from adastar_core.verifiers import Response
from adastar_core.verifiers.batch import verify_all
from tests.core.verifiers.generated import Case, cases_of
from tests.core.verifiers.values import KINDS, Kind

QUICK = [kind for kind in KINDS if kind.verifier != "math"]
RETRACTIONS = (
    "\n\nWait, that is not right.",
    "\nHmm, this cannot be so. Let me start again.",
    " Actually, no.",
    "\n\nThe answer is unknown.",
    "\n\nFinal answer: none of these",
    "\n\nThe above is wrong.",
)
LEFT_BEHIND = ("any/turns", "any/closings, rarer", "any/markup around: '```")
"""Sections whose responses end before their last line: what comes then is not their own."""
LONG = 50_000
PIECES = (
    *("(", "[", "{", "\\boxed{", "\\frac{", "\\text{", "$", "*", "#", "_", "`", "~", "|", ">", "<", " ", "\n", "\t", "-"),
    *("answer is ", "The answer is ", "Answer: ", "#### ", "72 ", "1,", "1", "or ", "not ", "if ", "Q", "Q: ", "Q:\n", "\nQ"),
    *("<think>", "</think>", "<answer>", "</answer>", "</s>", "\\[", "\\]", "$$\n", "**Answer:** ", "(B) ", "yes ", "no, "),
    *("\\boxed{72} ", "The answer is 72.\n", "\n\n", "Wait. ", "½", "²", "−", "\u200b", "\u00a0", "Human:", "= ", "/", "\\", "'"),
)  # fmt: skip


def judged(kind: Kind, pairs: list[tuple[Case, str]]) -> list[Verdict]:
    responses: list[Response] = [
        (kind.observation(case.reference, case.value), text, case.finish) for case, text in pairs
    ]
    return verify_all(kind.opened_verifier, responses)


@cache
def once_each(kind: Kind) -> list[Case]:
    """Return one case of each template, against the value that it names."""
    own = [case for case in cases_of(kind) if case.reference == case.value.reference]
    return list({case.template: case for case in reversed(own)}.values())


def speaking_last(kind: Kind) -> list[Case]:
    """Return those whose own part reaches their end, so that what is put after them counts."""
    return [case for case in once_each(kind) if not case.template.startswith(LEFT_BEHIND)]


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.name)
def test_a_reasoning_block_before_a_response_changes_nothing(kind: Kind) -> None:
    given = once_each(kind)
    thoughts = "<think>\nIs it so? The answer is no, 5 or (C). #### 5\nQ: hm?\n</think>\n"
    alone = judged(kind, [(case, case.response) for case in given])
    after = judged(kind, [(case, thoughts + case.response) for case in given])
    changed = [
        (case.response, one.outcome, other.outcome)
        for case, one, other in zip(given, alone, after, strict=True)
        if (one.outcome, one.extracted) != (other.outcome, other.extracted)
    ]
    assert not changed, changed[:5]


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.name)
@pytest.mark.parametrize("retraction", RETRACTIONS)
def test_what_takes_a_response_back_never_leaves_it_right(kind: Kind, retraction: str) -> None:
    given = speaking_last(kind)
    verdicts = judged(kind, [(case, case.response + retraction) for case in given])
    right = [
        case.response
        for case, verdict in zip(given, verdicts, strict=True)
        if verdict.outcome is Outcome.RIGHT
    ]
    assert not right, right[:5]


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.name)
def test_another_declaration_after_a_response_never_leaves_it_right(kind: Kind) -> None:
    given = speaking_last(kind)
    for form in ("\n\nThe answer is {}.", "\n\n#### {}", "\n\n**Answer:** {}", "\n\n\\boxed{{{}}}"):
        verdicts = judged(kind, [(case, case.response + form.format(case.value.other)) for case in given])
        right = [
            case.response
            for case, verdict in zip(given, verdicts, strict=True)
            if verdict.outcome is Outcome.RIGHT
        ]
        assert not right, (form, right[:5])


@pytest.mark.parametrize("piece", PIECES)
def test_work_grows_no_faster_than_a_response(piece: str) -> None:
    """50 kB of anything end within a deadline that quadratic work would miss a hundredfold."""
    for kind in [kind for kind in QUICK if kind.fall_back or not kind.can_fall_back]:
        value = once_each(kind)[0].value
        observation = kind.observation(value.reference, value)
        for before, after in (
            ("", ""),
            (f"The answer is {value.prose[0]}.\n", f"\n\\boxed{{{value.boxed[0]}}}"),
        ):
            response = before + piece * (LONG // len(piece)) + after
            start = time.process_time()
            verdict = kind.opened_verifier.verify(observation, response, FinishReason.EOS)
            assert time.process_time() - start < 2.0, (kind.name, response[:60])
            assert verdict.reason
