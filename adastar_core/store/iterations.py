"""Iterations and their phases: sampling, sampled, trained, advanced. A phase is left once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, text

from adastar_core.errors import StageError
from adastar_core.selection import Selection, Visit
from adastar_core.store.bulk import join_by_hash
from adastar_core.store.partitions import room_for_updates
from adastar_core.store.statistic_columns import NAMES, STATISTICS


@dataclass(frozen=True, slots=True)
class IterationRow:
    """An iteration as stored (columns: ``docs/schema.md``). What a later phase fills in is ``None`` before it."""

    iteration: int
    checkpoint_iteration: int
    beta: int
    phase: str
    m: int | None
    accepted: int | None
    surplus: int | None
    first_try_correct: int | None
    false_positives: int | None
    rationales_checked: int | None
    undecided: int | None
    rejected: dict[str, int] | None
    verifier: str | None
    exhausted: bool | None
    alpha: float | None
    stamped: int | None
    seconds: float | None
    judging: int


def start_iteration(
    connection: Connection,
    run_id: int,
    iteration: int,
    *,
    checkpoint_iteration: int,
    beta: int,
    observations: int,
    verifier: str | None = None,
) -> int:
    """Open an iteration unless it is open already; return how many observations entered the run with it.

    Observations added to the dataset enter here, with statistics of 0. Within an iteration the order of visit must not
    change.

    Args:
        observations: How many observations the caller knows the dataset to have.
        verifier: The verifier that will judge, unless another version of it closes the sampling.
    """
    key = {"run_id": run_id, "iteration": iteration}
    values = {"checkpoint_iteration": checkpoint_iteration, "beta": beta, "verifier": verifier}
    if not connection.execute(_START, key | values).rowcount:
        return 0
    known: int = connection.execute(_KNOWN, {"run_id": run_id}).scalar_one()
    if known >= observations:
        return 0
    with room_for_updates(connection, run_id):
        connection.execute(_ENTER, {"run_id": run_id, "known": known, "observations": observations})
    return observations - known


def mark_judging(connection: Connection, run_id: int, iteration: int, left: int) -> None:
    """Record how many attempts of a wave are still without a verdict, in the transaction that stores others of it."""
    connection.execute(_MARK, {"run_id": run_id, "iteration": iteration, "left": left})


def judge_by(connection: Connection, run_id: int, iteration: int, verifier: str) -> None:
    """Record that another version of the verifier judges an iteration whose sampling is open."""
    connection.execute(_JUDGE_BY, {"run_id": run_id, "iteration": iteration, "verifier": verifier})


def close_sampling(
    connection: Connection, run_id: int, iteration: int, selected: Selection, verifier: str
) -> bool:
    """Record visits replayed from this verifier's verdicts; return whether sampling was open. Write D+ first."""
    values = {
        "run_id": run_id,
        "iteration": iteration,
        "verifier": verifier,
        "m": selected.m,
        "accepted": len(selected.accepted),
        "counted": sum(visit.attempts for visit in selected.visits),
        "first_try_correct": sum(visit.first_try for visit in selected.visits),
        "exhausted": selected.exhausted,
        "positions": _array([visit.position for visit in selected.visits]),
        "attempts": _array([visit.attempts for visit in selected.visits]),
    }
    join_by_hash(connection)
    return bool(connection.execute(_CLOSE, values).rowcount)


def advance(
    connection: Connection,
    run_id: int,
    iteration: int,
    visits: Sequence[Visit],
    *,
    alpha: float,
    stamped: int,
    seconds: float,
) -> bool:
    """Append the visits, stamp the first of them and close the iteration; return whether it was still open.

    Called twice, it changes nothing the second time. The cost grows with m, hardly with N.

    Args:
        visits: The m visits in the order of visit; the first ``stamped`` of them are stamped.
        alpha: The model's strength in [0, 1].
        seconds: Wall time spent on the iteration.

    Raises:
        StageError: The iteration is not trained yet, or a visited observation is not the run's.
    """
    key = {"run_id": run_id, "iteration": iteration}
    closed = connection.execute(_ADVANCE, {**key, "alpha": alpha, "stamped": stamped, "seconds": seconds})
    if not closed.rowcount:
        phase = read_iteration(connection, run_id, iteration).phase
        if phase == "advanced":
            return False
        raise StageError(f"Iteration {iteration} cannot advance: it is {phase}, not trained.")
    values = {**key, "stamped": stamped, **_by_position(visits)}
    connection.execute(_LOOK_UP)
    changed = connection.execute(_VISIT, values).rowcount
    if changed != len(visits):
        raise StageError(
            f"Iteration {iteration} visited {len(visits)} observations, of which {changed} can be stamped: the "
            "others have no statistics, occur twice, or were stamped in a later iteration. The state does not fit."
        )
    return True


def read_iterations(connection: Connection, run_id: int) -> list[IterationRow]:
    """Return all iterations that have begun, the first first."""
    rows = connection.execute(text(f"{_READ} ORDER BY iteration"), {"run_id": run_id})
    return [IterationRow(*row) for row in rows]


def find_iteration(connection: Connection, run_id: int, iteration: int) -> IterationRow | None:
    """Return one iteration; ``None`` if it has not been started."""
    query = text(f"{_READ} AND iteration = :iteration")
    row = connection.execute(query, {"run_id": run_id, "iteration": iteration}).one_or_none()
    return None if row is None else IterationRow(*row)


def read_iteration(connection: Connection, run_id: int, iteration: int) -> IterationRow:
    """Return one iteration; :class:`StageError` if it has not been started."""
    row = find_iteration(connection, run_id, iteration)
    if row is None:
        raise StageError(f"Iteration {iteration} of run number {run_id} has not been started.")
    return row


def _by_position(visits: Sequence[Visit]) -> dict[str, str]:
    """Return what the visits hold as arrays, by position: so neighbours in the table are read and written together."""
    columns = {
        "positions": (visit.position for visit in visits),
        "attempts": (visit.attempts for visit in visits),
        "correct": (visit.correct for visit in visits),
        "accepted": (len(visit.accepted) for visit in visits),
    }
    values = {name: np.fromiter(column, np.int32, len(visits)) for name, column in columns.items()}
    ranks = np.argsort(values["positions"], kind="stable")
    arrays = {name: column[ranks] for name, column in values.items()} | {"ranks": ranks}
    return {name: _array(column.tolist()) for name, column in arrays.items()}


def _array(values: list[int]) -> str:
    """Return integers as one array literal, which the server parses faster than an expression of many numbers."""
    return f"{{{str(values)[1:-1]}}}"


_READ = f"SELECT {', '.join(IterationRow.__slots__)} FROM iterations WHERE run_id = :run_id"
_MARK = text(
    "UPDATE iterations SET judging = :left WHERE run_id = :run_id AND iteration = :iteration AND judging <> :left"
)
_JUDGE_BY = text(
    "UPDATE iterations SET verifier = :verifier "
    "WHERE run_id = :run_id AND iteration = :iteration AND phase = 'sampling'"
)
_START = text(
    "INSERT INTO iterations (run_id, iteration, checkpoint_iteration, beta, verifier, phase) "
    "VALUES (:run_id, :iteration, :checkpoint_iteration, :beta, :verifier, 'sampling') ON CONFLICT DO NOTHING"
)
_KNOWN = text("SELECT coalesce(max(position) + 1, 0) FROM observation_statistics WHERE run_id = :run_id")
_ENTER = text(
    f"INSERT INTO observation_statistics (run_id, position, {', '.join(NAMES)}) "
    f"SELECT :run_id, position, {', '.join('0' for _ in NAMES)} "
    "FROM generate_series(:known, :observations - 1) AS position"
)
# Attempts beyond a visit's count are surplus: they have verdicts but count in nothing. D+ is stored by now, so false
# positives are counted over what is really trained on. The phase guards against a second close.
_CLOSE = text(
    """
    WITH counted AS (
        SELECT v.outcome, v.rejected_by
        FROM unnest(CAST(:positions AS int[]), CAST(:attempts AS int[])) AS visit (position, attempts)
        JOIN verdicts v ON v.position = visit.position AND v.attempt <= visit.attempts
        WHERE v.run_id = :run_id AND v.iteration = :iteration AND v.verifier = :verifier
    ), kept_out AS (
        SELECT coalesce(jsonb_object_agg(rejected_by, attempts), '{}') AS by_rule
        FROM (SELECT rejected_by, count(*) AS attempts FROM counted WHERE rejected_by IS NOT NULL GROUP BY rejected_by) AS r
    ), trained AS (
        SELECT count(rationale_correct) AS checked, count(*) FILTER (WHERE NOT rationale_correct) AS false_positives
        FROM training_examples JOIN verdicts v USING (run_id, iteration, position, attempt)
        WHERE run_id = :run_id AND iteration = :iteration AND v.verifier = :verifier
    ), made AS (
        SELECT count(*) AS attempts FROM rollouts WHERE run_id = :run_id AND iteration = :iteration
    )
    UPDATE iterations
    SET phase = 'sampled', m = :m, accepted = :accepted, first_try_correct = :first_try_correct,
        exhausted = :exhausted, surplus = made.attempts - :counted, verifier = :verifier,
        undecided = (SELECT count(*) FROM counted WHERE outcome = 'undecided'), rejected = kept_out.by_rule,
        rationales_checked = trained.checked, false_positives = trained.false_positives
    FROM kept_out, trained, made
    WHERE run_id = :run_id AND iteration = :iteration AND phase = 'sampling'
    """
)
_ADVANCE = text(
    "UPDATE iterations SET phase = 'advanced', alpha = :alpha, stamped = :stamped, seconds = :seconds, "
    "finished_at = now() WHERE run_id = :run_id AND iteration = :iteration AND phase = 'trained'"
)
# The planner prefers a scan of all N statistics to m look-ups, which would make the cost grow with N.
_LOOK_UP = text(
    "SELECT set_config('jit', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), "
    "set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)"
)
# MATERIALIZED: the previous values and each row's ctid are read once, before the update changes both. The update then finds
# its rows by ctid without a second look-up by key. Rows stamped in this iteration or later are skipped, so the caller sees
# fewer rows changed than visited when the state does not fit.
_VISIT = text(
    f"""
    WITH visit AS MATERIALIZED (
        SELECT visit.*, visit.rank < :stamped AS stamped, s.ctid AS place,
            s.last_iteration AS previous_last_iteration, s.correct AS previous_correct, s.attempts AS previous_attempts
        FROM unnest(
            CAST(:positions AS int[]), CAST(:ranks AS int[]), CAST(:attempts AS int[]), CAST(:correct AS int[]),
            CAST(:accepted AS int[])
        ) AS visit (position, rank, attempts, correct, accepted)
        JOIN observation_statistics s ON s.run_id = :run_id AND s.position = visit.position
    ), events AS (
        INSERT INTO observation_events (run_id, iteration, rank, position, previous_last_iteration, previous_correct,
            previous_attempts, attempts, correct, accepted, stamped)
        SELECT :run_id, :iteration, rank, position, previous_last_iteration, previous_correct,
            previous_attempts, attempts, correct, accepted, stamped
        FROM visit
    )
    UPDATE observation_statistics s
    SET {", ".join(f"{statistic.name} = {statistic.after_visit}" for statistic in STATISTICS)}
    FROM visit WHERE s.run_id = :run_id AND s.ctid = visit.place AND s.last_iteration < :iteration
    """
)
