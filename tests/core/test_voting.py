"""Self-consistency: decided samples vote, and a decided sample is shown."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.records import Outcome
from adastar_core.stages.voting import majority
from adastar_core.store.evaluations import Answer

RIGHT, WRONG, UNDECIDED = Outcome.RIGHT, Outcome.WRONG, Outcome.UNDECIDED


def sample(extracted: str | None, outcome: Outcome, response: str = "") -> Answer:
    return Answer(0, "id", None, response, extracted, outcome, 10, 12, 20, 24)


def outcome_of(extracted: str | None) -> st.SearchStrategy[Outcome]:
    """The verdicts that an answer can get: the right one is "1"."""
    return st.sampled_from([RIGHT if extracted == "1" else WRONG, UNDECIDED])


answers = st.sampled_from([None, "1", "2", "3"])
samples = st.lists(
    answers.flatmap(lambda one: outcome_of(one).map(lambda outcome: sample(one, outcome))),
    min_size=1,
    max_size=9,
)


@given(samples)
def test_the_most_frequent_decided_answer_wins_and_a_decided_sample_shows_it(
    given_samples: list[Answer],
) -> None:
    shown = [sample(one.extracted, one.outcome, f"response {n}") for n, one in enumerate(given_samples)]
    chosen = majority(shown)
    votes = Counter(
        one.extracted for one in shown if one.outcome is not UNDECIDED and one.extracted is not None
    )
    if votes:
        most = max(votes.values())
        assert chosen.outcome is not UNDECIDED
        assert votes[chosen.extracted] == most
        first = next(one for one in shown if one.outcome is not UNDECIDED and votes[one.extracted] == most)
        assert chosen.response == first.response
    else:
        wrong = any(one.outcome is WRONG for one in shown)
        assert chosen.outcome is (WRONG if wrong else UNDECIDED)
    assert chosen.generated_tokens == 20 * len(shown)


@given(samples, st.lists(answers, max_size=9))
def test_undecided_samples_change_nothing_where_there_is_a_vote(
    voters: list[Answer], others: list[str | None]
) -> None:
    undecided = [sample(one, UNDECIDED) for one in others]
    alone, together = majority(voters), majority([*undecided, *voters])
    if any(one.outcome is not UNDECIDED for one in voters):
        assert (together.extracted, together.outcome) == (alone.extracted, alone.outcome)


@pytest.mark.parametrize(
    ("given_samples", "expected"),
    [
        ([("2", UNDECIDED), ("2", UNDECIDED), ("1", RIGHT)], ("1", RIGHT)),
        ([("1", UNDECIDED), ("1", RIGHT), ("2", WRONG)], ("1", RIGHT)),
        ([("2", WRONG), ("1", RIGHT)], ("2", WRONG)),
        ([(None, WRONG), (None, WRONG), ("1", RIGHT)], ("1", RIGHT)),
        ([("1", UNDECIDED), (None, UNDECIDED)], ("1", UNDECIDED)),
        ([("1", UNDECIDED), (None, WRONG)], (None, WRONG)),
    ],
    ids=["undecided-majority", "undecided-first", "tie", "no-answer", "all-undecided", "no-vote"],
)
def test_cases(given_samples: list[tuple[str | None, Outcome]], expected: tuple[str | None, Outcome]) -> None:
    chosen = majority([sample(*one) for one in given_samples])
    assert (chosen.extracted, chosen.outcome) == expected
