"""Rollouts: every sampled attempt as generated. Immutable; the first write of an attempt is kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from adastar_core.compute import StageTokens
from adastar_core.records import Attempt, FinishReason
from adastar_core.store import tables
from adastar_core.store.bulk import insert_new, join_by_hash, storable
from adastar_core.store.costs import GENERATION_PAIRS, TOKEN_SUMS, stage_tokens
from adastar_core.store.packed import packed, unpacked
from adastar_core.store.partitions import partition

_FIELDS = Attempt.__slots__
_ATTEMPT = ", ".join(_FIELDS)
COLUMNS = ("run_id", "iteration", "checkpoint_sha256", "seconds", "prompt_sha256", *_FIELDS)
_FINISH_REASON, _STREAM, _TOKENS = map(_FIELDS.index, ("finish_reason", "stream", "tokens"))
_OF = "FROM rollouts r WHERE r.run_id = :run_id AND r.iteration = :iteration"
_FINISH_REASONS = {reason.value: reason for reason in FinishReason}
_TWO_TO_63, _TWO_TO_64 = 1 << 63, 1 << 64


def write_attempts(
    connection: Connection,
    run_id: int,
    iteration: int,
    attempts: Sequence[Attempt],
    prompt_sha256s: Sequence[str],
    checkpoint_sha256: str,
    seconds: float,
) -> int:
    """Store a batch of attempts; return how many were not there yet.

    Args:
        prompt_sha256s: Digest of each attempt's prompt, in the same order.
        checkpoint_sha256: Digest of the checkpoint that generated them.
        seconds: Each one's share of the batch's wall time.
    """
    same = (run_id, iteration, checkpoint_sha256, seconds)
    pairs = zip(attempts, prompt_sha256s, strict=True)
    rows = ((*same, prompt_sha256, *stored_values(attempt)) for attempt, prompt_sha256 in pairs)
    return insert_new(connection, tables.rollouts, COLUMNS, rows)


def stored_values(attempt: Attempt) -> list[object]:
    """Return an attempt's fields as they are stored, as :data:`COLUMNS` ends."""
    values = {name: getattr(attempt, name) for name in _FIELDS}
    values["response"] = storable(attempt.response)
    values["stream"] = to_signed(attempt.stream)
    values["tokens"] = f"\\x{packed(attempt.tokens).hex()}" if attempt.tokens else None
    return list(values.values())


def read_attempt_keys(
    connection: Connection, run_id: int, iteration: int, positions: Sequence[int]
) -> set[tuple[int, int]]:
    """Return (position, attempt) of every stored attempt of an iteration at the observations at ``positions``."""
    query = text(f"SELECT position, attempt {_OF} AND position = ANY(:positions)")
    key = {"run_id": run_id, "iteration": iteration, "positions": list(positions)}
    return {(position, attempt) for position, attempt in connection.execute(query, key)}


def count_attempts(connection: Connection, run_id: int, iteration: int) -> int:
    """Return how many attempts of an iteration are stored, with a verdict or without."""
    query = text("SELECT count(*) FROM rollouts WHERE run_id = :run_id AND iteration = :iteration")
    return int(connection.execute(query, {"run_id": run_id, "iteration": iteration}).scalar_one())


def read_attempts(connection: Connection, run_id: int, iteration: int) -> list[Attempt]:
    """Return the stored attempts of an iteration by position and attempt."""
    query = text(f"SELECT {_ATTEMPT} {_OF} ORDER BY position, attempt")
    return [_attempt(row) for row in connection.execute(query, {"run_id": run_id, "iteration": iteration})]


def read_responses(
    connection: Connection, run_id: int, iteration: int, keys: Sequence[tuple[int, int]]
) -> list[str]:
    """Return the responses of stored attempts, given as (position, attempt), in the order of ``keys``."""
    join_by_hash(connection)
    query = text(
        "SELECT response FROM unnest(CAST(:positions AS int[]), CAST(:attempts AS int[])) WITH ORDINALITY "
        "AS wanted (position, attempt, place) JOIN rollouts r USING (position, attempt) "
        "WHERE r.run_id = :run_id AND r.iteration = :iteration ORDER BY place"
    )
    positions, attempts = [key[0] for key in keys], [key[1] for key in keys]
    key = {"run_id": run_id, "iteration": iteration, "positions": positions, "attempts": attempts}
    return list(connection.scalars(query, key))


def read_unjudged(connection: Connection, run_id: int, iteration: int, verifier: str) -> list[Attempt]:
    """Return the stored attempts that have no verdict of this verifier, by position and attempt."""
    query = text(
        f"SELECT {_ATTEMPT} {_OF} AND NOT EXISTS (SELECT FROM verdicts v WHERE v.run_id = r.run_id "
        "AND v.iteration = r.iteration AND v.position = r.position AND v.attempt = r.attempt "
        "AND v.verifier = :verifier) ORDER BY position, attempt"
    )
    key = {"run_id": run_id, "iteration": iteration, "verifier": verifier}
    join_by_hash(connection)
    return [_attempt(row) for row in connection.execute(query, key)]


def read_generation_costs(
    connection: Connection, run_id: int, iteration: int, counted: Mapping[int, int]
) -> dict[str, tuple[StageTokens, float]]:
    """Return the tokens and seconds of an iteration's attempts by stage: first, retry, hinted, surplus.

    ``counted`` is how many attempts count, by position; those beyond are surplus.
    """
    join_by_hash(connection)
    visits = {"positions": list(counted), "attempts": list(counted.values())}
    rows = connection.execute(_COSTS, {"run_id": run_id, "iteration": iteration, **visits})
    return {row.stage: (stage_tokens(row), row.seconds) for row in rows}


def size_of_tokens(connection: Connection, run_id: int, iterations: Sequence[int]) -> int:
    """Return the bytes that the token ids of these iterations' attempts take."""
    query = text(
        "SELECT coalesce(sum(pg_column_size(tokens)), 0) FROM rollouts WHERE run_id = :run_id AND iteration = ANY(:iterations)"
    )
    return int(connection.execute(query, {"run_id": run_id, "iterations": list(iterations)}).scalar_one())


def remove_tokens(engine: Engine, run_id: int, iterations: Sequence[int]) -> None:
    """Remove the token ids of these iterations' attempts, and give their space back to the file system."""
    table = partition(tables.rollouts, run_id)
    update = text(
        f"UPDATE {table} SET tokens = NULL WHERE iteration = ANY(:iterations) AND tokens IS NOT NULL"
    )
    with engine.begin() as connection:
        connection.execute(update, {"iterations": list(iterations)})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM (FULL, ANALYZE) {table}"))


def to_signed(stream: int) -> int:
    """Return a 64-bit stream key as Postgres stores it, in two's complement."""
    return stream - _TWO_TO_64 if stream >= _TWO_TO_63 else stream


def to_unsigned(stored: int) -> int:
    """Return the stream key that :func:`to_signed` made ``stored`` from."""
    return stored % _TWO_TO_64


def read_tokens(stored: bytes | None) -> tuple[int, ...]:
    """Return stored token ids; empty without any."""
    return unpacked(stored) if stored else ()


def _attempt(row: Row[Any]) -> Attempt:
    values = list(row)
    values[_FINISH_REASON] = _FINISH_REASONS[values[_FINISH_REASON]]
    values[_STREAM] = to_unsigned(values[_STREAM])
    values[_TOKENS] = read_tokens(values[_TOKENS])
    return Attempt(*values)


SAMPLED = ("generate first", "generate retry", "generate hinted", "generate surplus")
"""The stages that an iteration's attempts are counted under."""
_COSTS = text(
    f"""
    SELECT CASE WHEN visit.attempts IS NULL OR attempt > visit.attempts THEN '{SAMPLED[3]}'
                WHEN hinted THEN '{SAMPLED[2]}' WHEN attempt = 1 THEN '{SAMPLED[0]}' ELSE '{SAMPLED[1]}' END AS stage,
           {TOKEN_SUMS}, sum({GENERATION_PAIRS})::bigint AS attention_pairs, sum(seconds) AS seconds
    FROM rollouts r LEFT JOIN unnest(CAST(:positions AS int[]), CAST(:attempts AS int[])) AS visit (position, attempts)
        USING (position)
    WHERE r.run_id = :run_id AND r.iteration = :iteration GROUP BY stage
    """
)
