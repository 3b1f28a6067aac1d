"""Attempts, verdicts, D+, phases: what an iteration writes, each written twice."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from adastar_core.compute import ModelShape, StageTokens, generation_pairs
from adastar_core.errors import CheckpointError, ConfigError, StageError
from adastar_core.records import Attempt, FinishReason, Outcome, Rejection, RejectionReason
from adastar_core.selection import Selection, Visit
from adastar_core.store.checkpoints import find_checkpoint, read_checkpoint, write_checkpoint
from adastar_core.store.costs import read_costs, write_costs
from adastar_core.store.examples import ExampleKey, read_training_examples, write_training_examples
from adastar_core.store.iterations import (
    advance,
    close_sampling,
    read_iteration,
    read_iterations,
    start_iteration,
)
from adastar_core.store.lease import Lease
from adastar_core.store.rollouts import (
    read_attempt_keys,
    read_attempts,
    read_generation_costs,
    read_unjudged,
    to_signed,
    to_unsigned,
    write_attempts,
)
from adastar_core.store.verdicts import (
    JudgedRow,
    read_judged,
    read_kept_responses,
    write_verdicts,
)
from tests.store.conftest import BASE, FOLDER, NUMBER, attempt, judged, read_verdicts, trained

EMPTY = Rejection(RejectionReason.EMPTY, "an answer without a rationale")
SHAPE = ModelShape(parameters=1000, layers=2, attention_width=64)
ODD_TEXT = 'tab\t quote\' "double" back\\slash \\N \\x00 {"json": null} é\u2028\U0001f600\r\n'


def open_first_iteration(lease: Lease) -> None:
    with lease.transaction() as connection:
        write_checkpoint(connection, lease.run_id, BASE, FOLDER)
        start_iteration(connection, lease.run_id, 1, checkpoint_iteration=0, beta=2, observations=20)


def store_attempts(lease: Lease, *attempts: Attempt) -> int:
    with lease.transaction() as connection:
        digests = [f"prompt {one.position}" for one in attempts]
        return write_attempts(connection, lease.run_id, 1, attempts, digests, "base", 0.5)


def test_attempts_come_back_as_they_were(lease: Lease) -> None:
    first = attempt(7, 1, response=ODD_TEXT, stream=2**64 - 1, finish_reason=FinishReason.LENGTH)
    second = attempt(7, 2, hinted=True, response="", stream=2**63)
    assert store_attempts(lease, second, first) == 2
    assert store_attempts(lease, second, first) == 0
    with lease.engine.connect() as connection:
        assert read_attempts(connection, lease.run_id, 1) == [first, second]
        assert read_attempt_keys(connection, lease.run_id, 1, [7, 8]) == {(7, 1), (7, 2)}
        assert read_attempts(connection, lease.run_id, 2) == []
        stored = connection.execute(
            text("SELECT prompt_sha256, checkpoint_sha256, seconds FROM rollouts")
        ).all()
    assert stored == [("prompt 7", "base", 0.5)] * 2


def test_the_first_write_of_an_attempt_is_kept(lease: Lease) -> None:
    store_attempts(lease, attempt(1, 1, response="first"))
    assert store_attempts(lease, attempt(1, 1, response="second"), attempt(2, 1)) == 1
    with lease.engine.connect() as connection:
        assert [one.response for one in read_attempts(connection, lease.run_id, 1)] == [
            "first",
            "response 2/1",
        ]


def test_text_that_postgres_cannot_hold_is_replaced(lease: Lease) -> None:
    store_attempts(lease, attempt(1, 1, response="a\x00b\udfffc"))
    with lease.engine.connect() as connection:
        assert read_attempts(connection, lease.run_id, 1)[0].response == "a\ufffdb\ufffdc"


@pytest.mark.parametrize("stream", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_stream_keys_survive_the_sign(stream: int) -> None:
    assert -(2**63) <= to_signed(stream) < 2**63
    assert to_unsigned(to_signed(stream)) == stream


def test_more_rows_than_one_statement_takes(lease: Lease, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adastar_core.store.bulk._ROWS_PER_STATEMENT", 3)
    assert store_attempts(lease, *(attempt(n, 1) for n in range(7))) == 7
    assert store_attempts(lease, *(attempt(n, 1) for n in range(8))) == 1


def test_costs_of_generation_by_stage(lease: Lease) -> None:
    store_attempts(
        lease,
        attempt(3, 1),
        attempt(3, 2, hinted=True),
        attempt(3, 3),
        attempt(4, 1),
        attempt(4, 2),
        attempt(5, 1),
    )
    with lease.engine.connect() as connection:
        costs = read_generation_costs(connection, lease.run_id, 1, {3: 2, 4: 2})
    one = StageTokens(10, 12, 20, 25, attention_pairs=generation_pairs(10, 20))
    assert costs == {
        "generate first": (one + one, 1.0),
        "generate hinted": (one, 0.5),
        "generate retry": (one, 0.5),
        "generate surplus": (one + one, 1.0),
    }


def test_verdicts_come_back_and_leave_nothing_unjudged(lease: Lease) -> None:
    made = [attempt(1, 1), attempt(1, 2, hinted=True), attempt(2, 1)]
    store_attempts(lease, *made)
    verdicts = [judged(1, 1, Outcome.WRONG), judged(1, 2, Outcome.RIGHT, rationale_correct=False)]
    with lease.transaction() as connection:
        assert read_unjudged(connection, lease.run_id, 1, NUMBER) == made
        assert write_verdicts(connection, lease.run_id, 1, verdicts) == 2
        assert write_verdicts(connection, lease.run_id, 1, [judged(1, 1, Outcome.RIGHT)]) == 0
        assert read_unjudged(connection, lease.run_id, 1, NUMBER) == [made[2]]
        assert read_unjudged(connection, lease.run_id, 1, "number/3") == made
        assert read_verdicts(connection, lease.run_id, 1, NUMBER) == verdicts
        assert read_judged(connection, lease.run_id, 1, NUMBER) == [
            JudgedRow(1, 1, False, Outcome.WRONG, tokens=30),
            JudgedRow(1, 2, True, Outcome.RIGHT, tokens=30),
        ]
        assert read_judged(connection, lease.run_id, 1, "number/3") == []


def test_each_verifier_version_has_its_own_verdicts(lease: Lease) -> None:
    store_attempts(lease, attempt(1, 1))
    newer = judged(1, 1, Outcome.UNDECIDED)
    newer = replace(
        newer, verdict=replace(newer.verdict, verifier="number/3", extracted=None, reason="a\x00")
    )
    with lease.transaction() as connection:
        assert write_verdicts(connection, lease.run_id, 1, [judged(1, 1, Outcome.WRONG), newer]) == 2
        assert read_judged(connection, lease.run_id, 1, NUMBER)[0].outcome is Outcome.WRONG
        assert read_judged(connection, lease.run_id, 1, "number/3")[0].outcome is Outcome.UNDECIDED
        assert read_verdicts(connection, lease.run_id, 1, "number/3")[0].verdict.reason == "a\ufffd"


def test_rejections_come_back_and_what_was_kept_is_of_one_verifier(lease: Lease) -> None:
    store_attempts(lease, attempt(1, 1), attempt(1, 2), attempt(2, 1), attempt(2, 2), attempt(3, 1))
    rows = [
        judged(1, 1, Outcome.RIGHT, rejection=EMPTY),
        judged(1, 2, Outcome.RIGHT),
        judged(2, 1, Outcome.RIGHT),
        judged(2, 2, Outcome.WRONG),
        judged(3, 1, Outcome.RIGHT),
    ]
    with lease.transaction() as connection:
        write_verdicts(connection, lease.run_id, 1, rows)
        assert read_verdicts(connection, lease.run_id, 1, NUMBER) == rows
        assert [row.rejected for row in read_judged(connection, lease.run_id, 1, NUMBER)] == [True] + [
            False
        ] * 4
        kept = read_kept_responses(connection, lease.run_id, 1, NUMBER, [1, 2])
        assert read_kept_responses(connection, lease.run_id, 1, "number/3", [1, 2]) == {}
    assert kept == {1: ["response 1/2"], 2: ["response 2/1"]}


def test_nothing_is_judged_or_trained_on_that_was_not_generated(lease: Lease) -> None:
    with pytest.raises(IntegrityError, match="rollouts"), lease.transaction() as connection:
        write_verdicts(connection, lease.run_id, 1, [judged(1, 1, Outcome.WRONG)])
    with pytest.raises(IntegrityError, match="rollouts"), lease.transaction() as connection:
        write_training_examples(connection, lease.run_id, 1, [ExampleKey(1, 1, "digest")])


def test_training_examples_keep_their_order(lease: Lease) -> None:
    store_attempts(lease, attempt(4, 1), attempt(2, 1), attempt(3, 2))
    examples = [ExampleKey(4, 1, "a"), ExampleKey(2, 1, "b"), ExampleKey(3, 2, "c")]
    with lease.transaction() as connection:
        assert write_training_examples(connection, lease.run_id, 1, examples) == 3
        assert write_training_examples(connection, lease.run_id, 1, examples) == 0
        rows = read_training_examples(connection, lease.run_id, 1)
    assert [(row.position, row.attempt, row.text_sha256, row.response) for row in rows] == [
        (4, 1, "a", "response 4/1"),
        (2, 1, "b", "response 2/1"),
        (3, 2, "c", "response 3/2"),
    ]


def test_checkpoints_are_recorded_once(lease: Lease) -> None:
    with lease.transaction() as connection:
        assert find_checkpoint(connection, lease.run_id, 0, FOLDER) is None
        assert write_checkpoint(connection, lease.run_id, BASE, FOLDER)
        assert not write_checkpoint(connection, lease.run_id, BASE, FOLDER)
        assert write_checkpoint(connection, lease.run_id, trained(1), FOLDER)
        assert read_checkpoint(connection, lease.run_id, 0, FOLDER) == BASE
        assert read_checkpoint(connection, lease.run_id, 1, FOLDER) == trained(1)
        with pytest.raises(CheckpointError, match=r"Iteration 1 has a recorded.*digest 1111.*has other"):
            write_checkpoint(connection, lease.run_id, replace(trained(1), sha256="other"), FOLDER)
        with pytest.raises(
            ConfigError, match=r"no checkpoint of iteration 2\. There are those of 0 .* to 1 alone"
        ):
            read_checkpoint(connection, lease.run_id, 2, FOLDER)


def test_compute_is_recorded_once(lease: Lease) -> None:
    tokens = StageTokens(1, 2, 3, 4, 5, 2**40, 7)
    with lease.transaction() as connection:
        assert write_costs(connection, lease.run_id, 1, "finetune", tokens, SHAPE, 2.5)
        assert not write_costs(connection, lease.run_id, 1, "finetune", StageTokens(), SHAPE, 9.0)
        (row,) = read_costs(connection, lease.run_id)
    assert (row.iteration, row.stage, row.tokens, row.seconds) == (1, "finetune", tokens, 2.5)
    assert row.flops == 2 * 1000 * 4 + 6 * 1000 * 5
    assert row.padded_flops == tokens.padded_flops(1000)
    assert row.attention_flops == 4 * 2 * 64 * 7


def test_an_iteration_goes_through_its_phases_once(lease: Lease) -> None:
    open_first_iteration(lease)
    keys = [(5, 1), (5, 2), (3, 1), (3, 2), (9, 1), (9, 2), (0, 1), (0, 2)]
    store_attempts(lease, *(attempt(*key) for key in keys))
    visits = (Visit(5, 2, 1, (2,), False), Visit(3, 2, 0, (), False), Visit(9, 2, 2, (1,), True))
    selected = Selection(visits, exhausted=False)
    with lease.transaction() as connection:
        write_verdicts(
            connection,
            lease.run_id,
            1,
            [
                judged(5, 1, Outcome.UNDECIDED),
                judged(5, 2, Outcome.RIGHT, rationale_correct=False),
                judged(3, 1, Outcome.UNDECIDED),
                judged(3, 2, Outcome.WRONG),
                judged(9, 1, Outcome.RIGHT, rationale_correct=True),
                judged(0, 1, Outcome.UNDECIDED),
                judged(0, 2, Outcome.RIGHT, rejection=EMPTY),
                judged(9, 2, Outcome.RIGHT, rejection=EMPTY),
            ],
        )
        write_training_examples(connection, lease.run_id, 1, [ExampleKey(5, 2, "a"), ExampleKey(9, 1, "b")])
        assert read_iteration(connection, lease.run_id, 1).phase == "sampling"
        assert close_sampling(connection, lease.run_id, 1, selected, NUMBER)
        assert not close_sampling(connection, lease.run_id, 1, Selection((), exhausted=True), NUMBER)
        sampled = read_iteration(connection, lease.run_id, 1)
        with pytest.raises(StageError, match="cannot advance: it is sampled"):
            advance(connection, lease.run_id, 1, visits, alpha=0.5, stamped=1, seconds=2.0)
        write_checkpoint(connection, lease.run_id, trained(1), FOLDER)
        assert read_iteration(connection, lease.run_id, 1).phase == "trained"
        assert advance(connection, lease.run_id, 1, visits, alpha=0.5, stamped=1, seconds=2.0)
        assert not advance(connection, lease.run_id, 1, visits, alpha=0.9, stamped=3, seconds=9.0)
        assert (
            start_iteration(connection, lease.run_id, 1, checkpoint_iteration=0, beta=9, observations=30) == 0
        )
        closed = read_iterations(connection, lease.run_id)
    assert (sampled.phase, sampled.m, sampled.accepted, sampled.surplus, sampled.exhausted) == (
        "sampled",
        3,
        2,
        2,
        False,
    )
    assert (sampled.rejected, sampled.verifier) == ({"empty": 1}, NUMBER)
    assert (sampled.first_try_correct, sampled.undecided) == (1, 2)
    assert (sampled.false_positives, sampled.rationales_checked) == (1, 2)
    assert closed == [replace(sampled, phase="advanced", alpha=0.5, stamped=1, seconds=2.0)]


def test_an_iteration_that_was_not_started_is_refused(lease: Lease) -> None:
    with (
        lease.transaction() as connection,
        pytest.raises(StageError, match=r"Iteration 4 .* not been started"),
    ):
        advance(connection, lease.run_id, 4, (), alpha=0.0, stamped=0, seconds=0.0)


def test_counts_where_no_rationale_can_be_checked(lease: Lease) -> None:
    open_first_iteration(lease)
    store_attempts(lease, attempt(5, 1))
    with lease.transaction() as connection:
        write_verdicts(connection, lease.run_id, 1, [judged(5, 1, Outcome.RIGHT)])
        write_training_examples(connection, lease.run_id, 1, [ExampleKey(5, 1, "a")])
        close_sampling(
            connection, lease.run_id, 1, Selection((Visit(5, 1, 1, (1,), True),), exhausted=True), NUMBER
        )
        row = read_iteration(connection, lease.run_id, 1)
    assert (row.false_positives, row.rationales_checked, row.exhausted) == (0, 0, True)
