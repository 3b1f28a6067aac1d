"""Runs at a glance: what they are, how far they are, what they reached and what they cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from adastar_core.store.locks import HELD_NUMBERS, RUN
from adastar_core.store.provenance import WALL_SECONDS

CRASHED = (
    "Its process ended without a word: it was killed, as a stopped worker kills its runs, ran out of memory, or its machine "
    "or the database stopped."
)


@dataclass(frozen=True, slots=True)
class Overview:
    """One run at a glance.

    Attributes:
        state: created, running (a process owns it), crashed (none does, though none said how it ended), finished, failed,
            cancelled (in Prefect), interrupted (by a signal).
        owner: Process id and host of its last owner.
        started_by: Who started its first owner, in words; ``None`` where nobody knows.
        wanted: Iterations wanted; ``done`` of them have advanced.
        iteration: The newest iteration, in ``phase``; 0 before the first.
        best_iteration: Iteration of the best validation accuracy, the earliest among equals; 0 = base model.
        correct: Right answers of that evaluation, of ``total``.
        flops: Floating-point operations without padding and without evaluation.
        seconds: Wall time over all of its processes; ``None`` where none is recorded.
        failure: Why its last process ended before the run did, if so.
        file_store: The file store of its last owner; ``None`` where it had none.
    """

    run_id: int
    uid: str
    name: str
    problem: str
    method: str
    base_model: str
    seed: int
    state: str
    owner: str | None
    started_by: str | None
    wanted: int
    done: int
    iteration: int
    phase: str | None
    best_iteration: int | None
    correct: int | None
    total: int | None
    flops: float
    seconds: float | None
    code_version: str
    config_sha256: str
    created_at: datetime
    finished_at: datetime | None
    failure: str | None
    file_store: str | None


def read_overviews(connection: Connection) -> list[Overview]:
    """Return all runs, oldest first. About 50 ms for 1,000 runs."""
    return _read(connection, "true", {})


def find_overview(connection: Connection, name: str) -> Overview | None:
    """Return a run's line of ``adastar runs``; ``None`` if there is no such run."""
    found = _read(connection, "r.name = :name", {"name": name})
    return found[0] if found else None


def read_overview(connection: Connection, run_id: int) -> Overview | None:
    """Return the run of this number; ``None`` if there is none."""
    found = _read(connection, "r.run_id = :run_id", {"run_id": run_id})
    return found[0] if found else None


def _read(connection: Connection, condition: str, values: Mapping[str, str | int]) -> list[Overview]:
    query = text(f"{_OVERVIEW} WHERE {condition} ORDER BY r.run_id")
    return [
        Overview(**row._mapping)
        for row in connection.execute(query, {"kind": RUN, "crashed": CRASHED, **values})
    ]


# A run that was killed is still "running" in its row; only the advisory lock tells whether somebody works on it.
_OVERVIEW = f"""
    SELECT r.run_id, r.uid, r.name, r.config ->> 'problem.type' AS problem, coalesce(r.config ->> 'method', r.config ->> 'method.type') AS method, r.base_model,
           CAST(r.config ->> 'seed' AS int) AS seed,
           CASE WHEN crashed THEN 'crashed' ELSE r.status END AS state,
           r.owner, spent.started_by,
           r.iterations AS wanted, progress.done, progress.iteration, newest.phase,
           best.iteration AS best_iteration, best.correct, best.total, cost.flops, spent.seconds,
           r.code_version, r.config_sha256, r.created_at, r.finished_at,
           CASE WHEN crashed THEN :crashed ELSE r.failure END AS failure, r.file_store
    FROM runs r
    LEFT JOIN ({HELD_NUMBERS}) held ON held.number = r.run_id
    CROSS JOIN LATERAL (SELECT r.status = 'running' AND held.number IS NULL AS crashed) gone
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE phase = 'advanced') AS done, coalesce(max(iteration), 0) AS iteration
        FROM iterations WHERE run_id = r.run_id
    ) progress
    LEFT JOIN iterations newest ON newest.run_id = r.run_id AND newest.iteration = progress.iteration
    LEFT JOIN LATERAL (
        SELECT iteration, correct, total FROM evaluations WHERE run_id = r.run_id AND split = 'validation'
        ORDER BY CAST(correct AS numeric) / greatest(total, 1) DESC, iteration LIMIT 1
    ) best ON true
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(flops) FILTER (WHERE stage NOT LIKE 'evaluate%'), 0) AS flops
        FROM compute WHERE run_id = r.run_id
    ) cost
    CROSS JOIN LATERAL (
        SELECT {WALL_SECONDS} AS seconds,
               (array_agg(coalesce(started_by, 'deployment ' || deployment) ORDER BY lease_epoch))[1] AS started_by
        FROM owners WHERE run_id = r.run_id
    ) spent
"""
