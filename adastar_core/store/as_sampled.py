"""The base model's answers to the validation items, prompted as rationales are sampled; the first record is kept."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from adastar_core.compute import StageTokens
from adastar_core.records import Choice, Outcome
from adastar_core.store import tables
from adastar_core.store.bulk import storable
from adastar_core.store.costs import TOKENS, stage_tokens
from adastar_core.store.measured import Answered

_COPIED = ("answers", *TOKENS, "attention_pairs", "seconds", "content_sha256", "verifier")


@dataclass(frozen=True, slots=True)
class Given:
    """One answer: what was said, what the verifier read of it, and its verdict."""

    response: str
    extracted: str | None
    outcome: Outcome


def write_as_sampled(
    connection: Connection,
    run_id: int,
    answers: Sequence[Given],
    tokens: StageTokens,
    seconds: float,
    content_sha256: str | None,
    verifier: str,
) -> None:
    """Record the answers to all validation items, by position.

    Args:
        content_sha256: Digest of all that decides the answers; ``None`` if no other run may copy them.
    """
    costs = {name: asdict(tokens)[name] for name in (*TOKENS, "attention_pairs")}
    said = [
        [storable(given.response), given.extracted and storable(given.extracted), given.outcome]
        for given in answers
    ]
    values = {
        "answers": said,
        **costs,
        "seconds": seconds,
        "content_sha256": content_sha256,
        "verifier": verifier,
    }
    statement = insert(tables.as_sampled).values(run_id=run_id, **values)
    connection.execute(statement.on_conflict_do_nothing())


def borrow_as_sampled(connection: Connection, run_id: int, content_sha256: str) -> None:
    """Copy the record of any run with the same content, if there is one."""
    connection.execute(_BORROW, {"run_id": run_id, "content": content_sha256})


def find_cost(connection: Connection, run_id: int) -> tuple[StageTokens, float] | None:
    """Return what the answers cost, in tokens and seconds; ``None`` if they are not recorded."""
    table = tables.as_sampled
    columns = [table.c[name] for name in (*TOKENS, "attention_pairs", "seconds")]
    row = connection.execute(select(*columns).where(table.c.run_id == run_id)).one_or_none()
    return None if row is None else (stage_tokens(row), row.seconds)


def read_as_sampled(connection: Connection, run_id: int) -> list[Answered]:
    """Return the validation items with these answers; none if they are not recorded."""
    return [
        Answered(
            row.answer,
            tuple(Choice(label, option) for label, option in row.choices),
            row.extracted,
            Outcome(row.outcome),
        )
        for row in connection.execute(_ANSWERED, {"run_id": run_id})
    ]


_BORROW = text(
    f"INSERT INTO as_sampled (run_id, {', '.join(_COPIED)}) SELECT :run_id, {', '.join(_COPIED)} FROM as_sampled "
    "WHERE content_sha256 = :content LIMIT 1 ON CONFLICT DO NOTHING"
)
_ANSWERED = text(
    "SELECT i.answer, i.choices, s.answers -> i.position ->> 1 AS extracted, s.answers -> i.position ->> 2 AS outcome "
    "FROM as_sampled s JOIN evaluation_items i USING (run_id) WHERE run_id = :run_id AND i.split = 'validation' "
    "ORDER BY i.position"
)
