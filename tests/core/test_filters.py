"""The rationale filter: each rule alone, each switch, and the reasons it records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.records import Attempt, Choice, FinishReason, Observation, Rejection
from adastar_core.records import RejectionReason as Reason
from adastar_core.verifiers.filters import FilterSettings, screen

WIND = Observation("w", "What turns the mill?", "B", (Choice("A", "a stone"), Choice("B", "the wind")))
OFF = FilterSettings(truncated=False, run_on=False, empty=False, hint_echo=False, exact_duplicates=False)
GOOD = " Moving air pushes the sails round. The answer is (B)."


def attempt(
    response: str,
    *,
    number: int = 1,
    hinted: bool = False,
    finish: FinishReason = FinishReason.EOS,
    tokens: int = 20,
) -> Attempt:
    return Attempt(0, number, hinted, response, finish, 10, 10, tokens, tokens, 0)


def screened(
    *attempts: Attempt, settings: FilterSettings | None = None, before: tuple[str, ...] = ()
) -> list[Rejection | None]:
    """Decide on attempts one after the other, as the loop does."""
    kept, decisions = list(before), []
    for one in attempts:
        decisions.append(screen(WIND, one, kept, settings or FilterSettings()))
        if decisions[-1] is None:
            kept.append(one.response)
    return decisions


def reasons(
    *attempts: Attempt, settings: FilterSettings | None = None, before: tuple[str, ...] = ()
) -> list[Reason | None]:
    return [one and one.reason for one in screened(*attempts, settings=settings, before=before)]


@pytest.mark.parametrize(
    ("made", "switched_on", "reason"),
    [
        (attempt(GOOD, finish=FinishReason.LENGTH), {"truncated": True}, Reason.TRUNCATED),
        (attempt(" The answer is (B)."), {"empty": True}, Reason.EMPTY),
        (attempt("\n#### B"), {"empty": True}, Reason.EMPTY),
        (attempt(f"{GOOD}\n\nQ: What turns a wheel? A: Water."), {"run_on": True}, Reason.RUN_ON),
        (attempt(f"{GOOD}\nHuman: And a wheel?"), {"run_on": True}, Reason.RUN_ON),
        (attempt(f"{GOOD}<|im_end|> More."), {"run_on": True}, Reason.RUN_ON),
        (attempt(" The answer is (B). I hope this helps!"), {"empty": True}, Reason.EMPTY),
        (attempt(" \\boxed{B}\n\nQ: Another question? It goes on."), {"empty": True}, Reason.EMPTY),
        (attempt(" (B) The answer is (B).", hinted=True), {"hint_echo": True}, Reason.HINT_ECHO),
        (
            attempt(" The wind. The answer is the wind (B).", hinted=True),
            {"hint_echo": True},
            Reason.HINT_ECHO,
        ),
        (
            attempt(" As the hint says, it is wind. The answer is (B).", hinted=True),
            {"hint_echo": True},
            Reason.HINT_ECHO,
        ),
        (attempt(GOOD, tokens=101), {"longest_tokens": 100}, Reason.OVER_LONG),
    ],
)
def test_each_rule_rejects_alone_and_can_be_switched_off(
    made: Attempt, switched_on: dict[str, object], reason: Reason
) -> None:
    assert reasons(made, settings=OFF.model_copy(update=switched_on)) == [reason]
    assert reasons(made, settings=OFF) == [None]


def test_good_rationales_are_kept_by_default() -> None:
    assert reasons(
        attempt(GOOD), attempt(" Sails are driven by wind. The answer is (B).", number=2, hinted=True)
    ) == [None, None]


def test_speaking_of_a_hint_is_only_an_echo_when_there_was_one() -> None:
    assert reasons(attempt(" A hint of wind turns it. The answer is (B).")) == [None]


def test_duplicates_are_those_of_kept_rationales() -> None:
    spaced = GOOD.replace(" ", "  ")
    unique = FilterSettings(exact_duplicates=True)
    assert reasons(attempt(GOOD), attempt(spaced, number=2), settings=unique) == [None, Reason.DUPLICATE]
    assert reasons(attempt(GOOD), before=(spaced,), settings=unique) == [Reason.DUPLICATE]
    cut = attempt(GOOD, finish=FinishReason.LENGTH)
    assert reasons(cut, attempt(GOOD, number=2), settings=unique) == [Reason.TRUNCATED, None]
    assert reasons(attempt(GOOD), attempt(GOOD, number=2), settings=OFF) == [None, None]


def test_near_duplicates_are_those_above_the_share() -> None:
    settings = OFF.model_copy(update={"near_duplicates": 0.6})
    long = " Moving air pushes the four great sails of the mill round and round all day. The answer is (B)."
    other = long.replace("great", "large")
    first, second = screened(attempt(long), attempt(other, number=2), settings=settings)
    assert first is None
    assert second is not None
    assert second.reason is Reason.NEAR_DUPLICATE
    assert "%" in second.detail
    assert reasons(
        attempt(long),
        attempt(" Water does not turn it, so wind must. The answer is (B).", number=2),
        settings=settings,
    ) == [None, None]


def test_rationales_with_other_calculations_are_not_near_duplicates() -> None:
    settings = OFF.model_copy(update={"near_duplicates": 0.6})
    story = (
        " Moving air pushes the four great sails round all day, and that makes {} turns. The answer is (B)."
    )
    made = [
        attempt(story.format(sum_), number=n) for n, sum_ in enumerate(("3 + 5", "3 - 5", "5 + 3", "3+5"), 1)
    ]
    assert reasons(*made, settings=settings) == [None, None, None, Reason.NEAR_DUPLICATE]


@given(st.lists(st.text(max_size=30), max_size=5), st.booleans())
def test_any_text_is_decided_on_and_every_rejection_says_why(responses: list[str], hinted: bool) -> None:
    attempts = [attempt(text, number=number, hinted=hinted) for number, text in enumerate(responses, 1)]
    strict = FilterSettings(exact_duplicates=True, near_duplicates=0.9, longest_tokens=30)
    assert all(one is None or one.detail for one in screened(*attempts, settings=strict))
    kept = [
        text for text, one in zip(responses, screened(*attempts, settings=strict), strict=True) if one is None
    ]
    assert len({" ".join(text.split()) for text in kept}) == len(kept)


@pytest.mark.parametrize(
    "response",
    [
        f"{GOOD}<|im_end|>",
        f"{GOOD}\n",
        f"<think>Hm, it may be a stone.</think>{GOOD}",
        " The answer is (B), because moving air pushes the sails round.",
        "<think>Moving air pushes the sails round.</think> The answer is (B).",
    ],
)
def test_a_rationale_counts_wherever_it_stands(response: str) -> None:
    assert reasons(attempt(response)) == [None]
