"""Verdicts on rollouts: one per attempt and verifier version; the first is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from adastar_core.records import Outcome, Rejection, RejectionReason, Verdict
from adastar_core.store import tables
from adastar_core.store.bulk import insert_new, join_by_hash, storable

_COLUMNS = tuple(column.name for column in tables.verdicts.c)
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class JudgedAttempt:
    """A verdict and the attempt it is on.

    ``rationale_correct`` says whether every step is right, ``None`` where that cannot or need not be checked;
    ``rejection`` why the rationale filter keeps it out of training, ``None`` if it does not.
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
    tokens: int = 0
    """Tokens of its prompt and its response."""


def write_verdicts(
    connection: Connection, run_id: int, iteration: int, judged: Sequence[JudgedAttempt]
) -> int:
    """Store verdicts on stored attempts; return how many were not there yet."""
    rows = (
        (
            run_id,
            iteration,
            item.position,
            item.attempt,
            item.verdict.verifier,
            item.verdict.outcome,
            item.verdict.extracted and storable(item.verdict.extracted),
            item.verdict.found_by,
            storable(item.verdict.reason),
            item.rationale_correct,
            item.rejection and item.rejection.reason,
            item.rejection and storable(item.rejection.detail),
        )
        for item in judged
    )
    return insert_new(connection, tables.verdicts, _COLUMNS, rows)


def reject_guesses(
    connection: Connection, run_id: int, iteration: int, verifier: str, reasons: Mapping[int, str]
) -> None:
    """Reject the right attempts at the positions that have a reason; those that another rule rejects keep theirs."""
    key = {"run_id": run_id, "iteration": iteration, "verifier": verifier, "rule": RejectionReason.GUESSING}
    connection.execute(_GUESSED, {**key, "positions": list(reasons), "reasons": list(reasons.values())})


def read_judged(connection: Connection, run_id: int, iteration: int, verifier: str) -> list[JudgedRow]:
    """Return an iteration's attempts that this verifier has judged, by position and attempt."""
    join_by_hash(connection)
    rows = connection.execute(_JUDGED, {"run_id": run_id, "iteration": iteration, "verifier": verifier})
    return [
        JudgedRow(position, attempt, hinted, _OUTCOMES[outcome], rejected, tokens)
        for position, attempt, hinted, outcome, rejected, tokens in rows
    ]


def read_kept_responses(
    connection: Connection, run_id: int, iteration: int, verifier: str, positions: Sequence[int]
) -> dict[int, list[str]]:
    """Return the responses that this verifier found right and the filter kept, by position, in order of attempt."""
    join_by_hash(connection)
    key = {"run_id": run_id, "iteration": iteration, "verifier": verifier, "positions": list(positions)}
    kept: dict[int, list[str]] = {}
    for position, response in connection.execute(_KEPT, key):
        kept.setdefault(position, []).append(response)
    return kept


_GUESSED = text(
    "UPDATE verdicts v SET rejected_by = :rule, rejected_because = given.reason "
    "FROM unnest(CAST(:positions AS int[]), CAST(:reasons AS text[])) AS given (position, reason) "
    "WHERE v.run_id = :run_id AND v.iteration = :iteration AND v.verifier = :verifier AND v.position = given.position "
    "AND v.outcome = 'right' AND v.rejected_by IS NULL"
)
_JUDGED = text(
    "SELECT r.position, r.attempt, r.hinted, v.outcome, v.rejected_by IS NOT NULL, "
    "r.prompt_tokens + r.generated_tokens "
    "FROM verdicts v JOIN rollouts r USING (run_id, iteration, position, attempt) "
    "WHERE v.run_id = :run_id AND v.iteration = :iteration AND v.verifier = :verifier ORDER BY r.position, r.attempt"
)
_KEPT = text(
    "SELECT r.position, r.response FROM rollouts r JOIN verdicts v USING (run_id, iteration, position, attempt) "
    "WHERE v.run_id = :run_id AND v.iteration = :iteration AND v.verifier = :verifier AND v.outcome = 'right' "
    "AND v.rejected_by IS NULL AND r.position = ANY(:positions) ORDER BY r.position, r.attempt"
)
