"""Verdicts on rollouts: one per attempt and verifier version; the first stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from adastar_core.records import Outcome, Verdict
from adastar_core.store import tables
from adastar_core.store.bulk import insert_new, join_by_hash, storable

_COLUMNS = (
    "run_id",
    "iteration",
    "position",
    "attempt",
    "verifier",
    "outcome",
    "extracted",
    "found_by",
    "reason",
    "rationale_correct",
)
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class JudgedAttempt:
    """A verdict and the attempt it is on.

    Attributes:
        position: The observation.
        attempt: The attempt's number.
        verdict: The verifier's verdict.
        rationale_correct: Whether every step is right; ``None`` where that cannot or need not be checked.
    """

    position: int
    attempt: int
    verdict: Verdict
    rationale_correct: bool | None = None


class JudgedRow(NamedTuple):
    """What planning needs of one judged attempt."""

    position: int
    attempt: int
    hinted: bool
    outcome: Outcome


def write_verdicts(
    connection: Connection, run_id: int, iteration: int, judged: Sequence[JudgedAttempt]
) -> int:
    """Store verdicts on stored attempts; return how many were not there yet."""
    rows = (
        (
            run_id,
            iteration,
            one.position,
            one.attempt,
            one.verdict.verifier,
            one.verdict.outcome,
            None if one.verdict.extracted is None else storable(one.verdict.extracted),
            one.verdict.found_by,
            storable(one.verdict.reason),
            one.rationale_correct,
        )
        for one in judged
    )
    return insert_new(connection, tables.verdicts, _COLUMNS, rows)


def read_judged(connection: Connection, run_id: int, iteration: int, verifier: str) -> list[JudgedRow]:
    """Return an iteration's attempts that this verifier has judged, by position and attempt."""
    join_by_hash(connection)
    rows = connection.execute(_JUDGED, {"run_id": run_id, "iteration": iteration, "verifier": verifier})
    return [
        JudgedRow(position, attempt, hinted, _OUTCOMES[outcome])
        for position, attempt, hinted, outcome in rows
    ]


def read_verdicts(connection: Connection, run_id: int, iteration: int, verifier: str) -> list[JudgedAttempt]:
    """Return an iteration's verdicts of this verifier, by position and attempt."""
    join_by_hash(connection)
    rows = connection.execute(_VERDICTS, {"run_id": run_id, "iteration": iteration, "verifier": verifier})
    return [
        JudgedAttempt(
            row.position,
            row.attempt,
            Verdict(_OUTCOMES[row.outcome], row.extracted, row.found_by, row.reason, verifier),
            row.rationale_correct,
        )
        for row in rows
    ]


_JUDGED = text(
    "SELECT r.position, r.attempt, r.hinted, v.outcome "
    "FROM verdicts v JOIN rollouts r USING (run_id, iteration, position, attempt) "
    "WHERE v.run_id = :run_id AND v.iteration = :iteration AND v.verifier = :verifier ORDER BY r.position, r.attempt"
)
_VERDICTS = text(
    "SELECT position, attempt, outcome, extracted, found_by, reason, rationale_correct FROM verdicts "
    "WHERE run_id = :run_id AND iteration = :iteration AND verifier = :verifier ORDER BY position, attempt"
)
