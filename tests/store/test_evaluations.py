import pytest

from adastar_core.compute import StageTokens
from adastar_core.errors import StageError
from adastar_core.generators import Decoding
from adastar_core.records import Accuracy, Observation, Outcome, Split, Verdict
from adastar_core.store.checkpoints import write_checkpoint
from adastar_core.store.evaluations import (
    Answer,
    close_evaluation,
    find_evaluation,
    read_answered_positions,
    read_evaluations,
    write_answers,
)
from adastar_core.store.lease import Lease
from tests.store.conftest import BASE, FOLDER, NUMBER, attempt, read_answers

GREEDY = Decoding(greedy=True, temperature=1.0, top_p=1.0, max_new_tokens=64, stop=("\n\n",))


def answer(position: int, outcome: Outcome, difficulty: str | None) -> Answer:
    observation = Observation(f"id-{position}", "q", "a", difficulty=difficulty)
    extracted = None if outcome is Outcome.UNDECIDED else "4\x002"
    return Answer.of(
        observation, attempt(position, 1, response="\x00"), Verdict(outcome, extracted, "", "", NUMBER)
    )


ANSWERS = [
    answer(0, Outcome.RIGHT, "1"),
    answer(1, Outcome.WRONG, "1"),
    answer(2, Outcome.UNDECIDED, "10"),
    answer(3, Outcome.RIGHT, None),
]


@pytest.fixture
def evaluated(lease: Lease) -> Lease:
    with lease.transaction() as connection:
        write_checkpoint(connection, lease.run_id, BASE, FOLDER)
        assert write_answers(connection, lease.run_id, 0, Split.VALIDATION, ANSWERS[:2], 0.5, NUMBER) == 2
        assert write_answers(connection, lease.run_id, 0, Split.VALIDATION, ANSWERS, 0.5, NUMBER) == 2
        assert write_answers(connection, lease.run_id, 0, Split.TEST, ANSWERS[:1], 0.5, NUMBER) == 1
    return lease


def test_an_evaluation_resumes_from_its_stored_answers(evaluated: Lease) -> None:
    with evaluated.engine.connect() as connection:
        assert read_answered_positions(connection, evaluated.run_id, 0, Split.VALIDATION) == {0, 1, 2, 3}
        assert read_answered_positions(connection, evaluated.run_id, 1, Split.VALIDATION) == set()
        assert read_answers(connection, evaluated.run_id, 0, Split.VALIDATION) == ANSWERS
        assert find_evaluation(connection, evaluated.run_id, 0, Split.VALIDATION) is None


def test_totals_are_recorded_once_and_only_when_complete(evaluated: Lease) -> None:
    with evaluated.transaction() as connection:
        with pytest.raises(StageError, match="4 answers for 5 items"):
            close_evaluation(connection, evaluated.run_id, 0, Split.VALIDATION, 5, GREEDY)
        first = close_evaluation(connection, evaluated.run_id, 0, Split.VALIDATION, 4, GREEDY)
        assert close_evaluation(connection, evaluated.run_id, 0, Split.VALIDATION, 4, GREEDY) == first
        close_evaluation(connection, evaluated.run_id, 0, Split.TEST, 1, GREEDY)
        assert [one.split for one in read_evaluations(connection, evaluated.run_id)] == [
            Split.TEST,
            Split.VALIDATION,
        ]
        assert find_evaluation(connection, evaluated.run_id, 0, Split.VALIDATION) == first
    assert (first.accuracy, first.undecided, first.seconds) == (Accuracy(2, 4), 1, 2.0)
    assert first.by_difficulty == {"1": Accuracy(1, 2), "10": Accuracy(0, 1)}
    assert first.tokens == StageTokens(40, 48, 80, 100, attention_pairs=4 * (10 * 10 + 19 * 10 + 190))


def test_items_without_difficulty_are_counted_in_no_group(evaluated: Lease) -> None:
    with evaluated.transaction() as connection:
        write_answers(
            connection, evaluated.run_id, 1, Split.TEST, [answer(0, Outcome.RIGHT, None)], 0.5, NUMBER
        )
        connection.exec_driver_sql(
            "INSERT INTO checkpoints SELECT run_id, 1, 0, path, sha256, bytes, parameters FROM checkpoints"
        )
        assert close_evaluation(connection, evaluated.run_id, 1, Split.TEST, 1, GREEDY).by_difficulty == {}
