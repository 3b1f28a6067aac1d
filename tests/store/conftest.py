from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select

from adastar_core.config import RunConfig
from adastar_core.records import (
    Attempt,
    Choice,
    Data,
    FinishReason,
    Observation,
    Outcome,
    Rejection,
    RejectionReason,
    Split,
    Verdict,
)
from adastar_core.store import tables
from adastar_core.store.checkpoints import CheckpointRow, TrainingFacts
from adastar_core.store.evaluations import Answer
from adastar_core.store.lease import Lease, own_run
from adastar_core.store.runs import Run, start_or_continue
from adastar_core.store.verdicts import JudgedAttempt


def observations(count: int) -> list[Observation]:
    return [
        Observation(f"id-{n}", f"How much is {n} + 1?", str(n + 1), (Choice("A", "é\\\n"),), str(n % 3))
        for n in range(count)
    ]


def data(train: list[Observation]) -> Data:
    return Data({Split.TRAIN: train}, train)


def start(engine: Engine, name: str = "one", config: RunConfig | None = None, count: int = 20) -> Run:
    return start_or_continue(engine, name, config or RunConfig(), data(observations(count)), "test")[0]


@pytest.fixture
def lease(database: Engine) -> Iterator[Lease]:
    """The right to write a run of 20 observations."""
    with own_run(database, start(database), iterations=3, patience=None) as owned:
        yield owned


NUMBER = "number/1"
FOLDER = Path("/runs/one")
BASE = CheckpointRow(0, None, "/models/base", "0000", 4000, 1000)


def trained(iteration: int) -> CheckpointRow:
    facts = TrainingFacts(steps=5, examples=40, loss=0.25, token_accuracy=0.9)
    return CheckpointRow(
        iteration, iteration - 1, f"/models/{iteration}", str(iteration) * 4, 4000, 1000, facts
    )


def attempt(
    position: int,
    number: int,
    *,
    hinted: bool = False,
    response: str | None = None,
    stream: int = 1,
    finish_reason: FinishReason = FinishReason.EOS,
) -> Attempt:
    text = f"response {position}/{number}" if response is None else response
    return Attempt(position, number, hinted, text, finish_reason, 10, 12, 20, 25, stream)


def judged(
    position: int,
    number: int,
    outcome: Outcome,
    *,
    rationale_correct: bool | None = None,
    rejection: Rejection | None = None,
) -> JudgedAttempt:
    verdict = Verdict(outcome, "42", "#### X", "because", NUMBER)
    return JudgedAttempt(position, number, verdict, rationale_correct, rejection)


def read_answers(connection: Connection, run_id: int, iteration: int, split: Split) -> list[Answer]:
    """Return the stored answers of an evaluation by position."""
    table = tables.evaluation_answers
    query = select(*(table.c[name] for name in Answer.__slots__)).where(
        table.c.run_id == run_id, table.c.iteration == iteration, table.c.split == split.value
    )
    rows = connection.execute(query.order_by(table.c.position))
    return [Answer(**{**row._mapping, "outcome": Outcome(row.outcome)}) for row in rows]


def read_verdicts(connection: Connection, run_id: int, iteration: int, verifier: str) -> list[JudgedAttempt]:
    """Return the stored verdicts of a verifier by position and attempt."""
    table = tables.verdicts
    query = select(table).where(
        table.c.run_id == run_id, table.c.iteration == iteration, table.c.verifier == verifier
    )
    return [
        JudgedAttempt(
            row.position,
            row.attempt,
            Verdict(Outcome(row.outcome), row.extracted, row.found_by, row.reason, verifier),
            row.rationale_correct,
            row.rejected_by and Rejection(RejectionReason(row.rejected_by), row.rejected_because),
        )
        for row in connection.execute(query.order_by(table.c.position, table.c.attempt))
    ]
