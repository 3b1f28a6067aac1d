"""Verdicts on rollouts: one per attempt and verifier version; the first stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from adastar_core.records import Outcome, Rejection, RejectionReason, Verdict
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
    "rejected_by",
    "rejected_because",
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
        rejection: Why the rationale filter keeps it out of training; ``None`` if it does not.
    """

    position: int
    attempt: int
    verdict: Verdict
    rationale_correct: bool | None = None
    rejection: Rejection | None = None


class JudgedRow(NamedTuple):
    """What planning needs of one judged attempt."""

    position: int
    attempt: int
    hinted: bool
    outcome: Outcome
    rejected: bool = False


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
            one.rejection and one.rejection.reason,
            one.rejection and storable(one.rejection.detail),
        )
        for one in judged
    )
    return insert_new(connection, tables.verdicts, _COLUMNS, rows)


def read_judged(connection: Connection, run_id: int, iteration: int, verifier: str) -> list[JudgedRow]:
    """Return an iteration's attempts that this verifier has judged, by position and attempt."""
    join_by_hash(connection)
    rows = connection.execute(_JUDGED, {"run_id": run_id, "iteration": iteration, "verifier": verifier})
    return [
        JudgedRow(position, attempt, hinted, _OUTCOMES[outcome], rejected)
        for position, attempt, hinted, outcome, rejected in rows
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
            row.rejected_by and Rejection(RejectionReason(row.rejected_by), row.rejected_because),
        )
        for row in rows
    ]


def read_kept_responses(
    connection: Connection, run_id: int, iteration: int, verifier: str, positions: Sequence[int]
) -> dict[int, list[str]]:
    """Return the responses that this verifier found right and the filter kept, by position, in order of attempt."""
    key = {"run_id": run_id, "iteration": iteration, "verifier": verifier, "positions": list(positions)}
    kept: dict[int, list[str]] = {}
    for position, response in connection.execute(_KEPT, key):
        kept.setdefault(position, []).append(response)
    return kept


_JUDGED = text(
    "SELECT r.position, r.attempt, r.hinted, v.outcome, v.rejected_by IS NOT NULL "
    "FROM verdicts v JOIN rollouts r USING (run_id, iteration, position, attempt) "
    "WHERE v.run_id = :run_id AND v.iteration = :iteration AND v.verifier = :verifier ORDER BY r.position, r.attempt"
)
_KEPT = text(
    "SELECT r.position, r.response FROM rollouts r JOIN verdicts v USING (run_id, iteration, position, attempt) "
    "WHERE v.run_id = :run_id AND v.iteration = :iteration AND v.verifier = :verifier AND v.outcome = 'right' "
    "AND v.rejected_by IS NULL AND r.position = ANY(:positions) ORDER BY r.position, r.attempt"
)
_VERDICTS = text(
    "SELECT position, attempt, outcome, extracted, found_by, reason, rationale_correct, rejected_by, rejected_because "
    "FROM verdicts "
    "WHERE run_id = :run_id AND iteration = :iteration AND verifier = :verifier ORDER BY position, attempt"
)
