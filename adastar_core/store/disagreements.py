"""Compare two verifiers on the same rollouts: the one that selected, and another."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from adastar_core.records import Outcome
from adastar_core.store.bulk import join_by_hash


@dataclass(frozen=True, slots=True)
class Change:
    """How many rollouts went from one outcome to another, or stayed, and how many of them were trained on.

    ``old_verifier`` selected; it may differ between a run's iterations.
    """

    old_verifier: str
    old: Outcome
    new: Outcome
    rollouts: int
    trained: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One rollout with two different outcomes, side by side."""

    iteration: int
    observation_id: str
    attempt: int
    reference: str
    response: str
    trained: bool
    old_verifier: str
    old: Outcome
    old_extracted: str | None
    old_reason: str
    new: Outcome
    new_extracted: str | None
    new_reason: str


def read_changes(connection: Connection, run_id: int, verifier: str, assumed: str) -> list[Change]:
    """Return how many rollouts went from which outcome to which; those that stayed are among them.

    Args:
        verifier: The version whose verdicts are compared with the selecting ones.
        assumed: The selecting verifier of iterations that do not name theirs.
    """
    join_by_hash(connection)
    rows = connection.execute(_CHANGES, {"run_id": run_id, "verifier": verifier, "assumed": assumed})
    return [Change(row[0], Outcome(row[1]), Outcome(row[2]), row[3], row[4]) for row in rows]


def read_disagreements(
    connection: Connection, run_id: int, verifier: str, assumed: str, each: int
) -> list[Disagreement]:
    """Return the first ``each`` rollouts of every kind of disagreement; arguments as in :func:`read_changes`."""
    join_by_hash(connection)
    key = {"run_id": run_id, "verifier": verifier, "assumed": assumed, "each": each}
    return [
        Disagreement(**{**row._mapping, "old": Outcome(row.old), "new": Outcome(row.new)})
        for row in connection.execute(_DISAGREEMENTS, key)
    ]


_COMPARED = """
    WITH compared AS (
        SELECT iteration, position, attempt, o.verifier AS old_verifier, o.outcome AS old, o.extracted AS old_extracted,
               o.reason AS old_reason, n.outcome AS new, n.extracted AS new_extracted, n.reason AS new_reason,
               e.place IS NOT NULL AS trained
        FROM verdicts o
        JOIN verdicts n USING (run_id, iteration, position, attempt)
        JOIN iterations i USING (run_id, iteration)
        LEFT JOIN training_examples e USING (run_id, iteration, position, attempt)
        WHERE run_id = :run_id AND o.verifier = coalesce(i.verifier, :assumed) AND n.verifier = :verifier
    )
"""
_CHANGES = text(
    f"{_COMPARED} SELECT old_verifier, old, new, count(*), count(*) FILTER (WHERE trained) FROM compared "
    "GROUP BY old_verifier, old, new ORDER BY old_verifier, old, new"
)
_DISAGREEMENTS = text(
    f"""{_COMPARED}, numbered AS (
        SELECT *, row_number() OVER (PARTITION BY old, new ORDER BY iteration, position, attempt) AS number
        FROM compared WHERE old <> new
    )
    SELECT iteration, observation_id, attempt, s.answer AS reference, r.response, trained, old_verifier, old,
           old_extracted, old_reason, new, new_extracted, new_reason
    FROM numbered JOIN rollouts r USING (iteration, position, attempt)
    JOIN runs ON runs.run_id = r.run_id JOIN observations s USING (dataset_id, position)
    WHERE r.run_id = :run_id AND number <= :each ORDER BY old, new, iteration, position, attempt
    """
)
