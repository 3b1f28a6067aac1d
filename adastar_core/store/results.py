"""What came out of a run, read from the store for reports."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from adastar_core.compute import pflops
from adastar_core.store import tables


@dataclass(frozen=True, slots=True)
class IterationResult:
    """A closed iteration with its cost in FLOPs; evaluation is not in it."""

    iteration: int
    beta: int
    m: int
    accepted: int
    surplus: int
    first_try_correct: int
    false_positives: int
    rationales_checked: int
    undecided: int
    rejected: dict[str, int]
    exhausted: bool
    alpha: float
    stamped: int
    seconds: float
    flops: float
    padded_flops: float
    attention_flops: float


def read_iteration_results(connection: Connection, run_id: int) -> list[IterationResult]:
    """Return the run's closed iterations in order."""
    return [IterationResult(**row._mapping) for row in connection.execute(_RESULTS, {"run_id": run_id})]


def spent_pflops(connection: Connection, run_id: int, iteration: int) -> float:
    """Return what the iterations up to this one cost without padding, evaluation not counted, in 10^15 FLOPs."""
    rows = read_iteration_results(connection, run_id)
    return pflops(sum(row.flops for row in rows if row.iteration <= iteration))


def read_trained_frequency(connection: Connection, run_id: int) -> tuple[int, ...]:
    """Return how many observations were trained on exactly k times, for k = 0, 1, ... (the paper's imbalance)."""
    table = tables.observation_statistics
    column = table.c.times_trained
    query = select(column, func.count()).where(table.c.run_id == run_id).group_by(column)
    counts = {int(times): int(count) for times, count in connection.execute(query)}
    return tuple(counts.get(times, 0) for times in range(max(counts, default=-1) + 1))


@dataclass(frozen=True, slots=True)
class ResponseLengths:
    """An iteration's responses, surplus ones included: how many, their tokens, and the share cut at the length limit."""

    responses: int
    mean: float | None
    p90: int | None
    cut_share: float | None


def read_response_lengths(connection: Connection, run_id: int, iteration: int) -> ResponseLengths:
    """Return how long an iteration's responses are, in tokens."""
    row = connection.execute(_LENGTHS, {"run_id": run_id, "iteration": iteration}).one()
    return ResponseLengths(*row)


_LENGTHS = text(
    "SELECT count(*), avg(generated_tokens)::float8, percentile_disc(0.9) WITHIN GROUP (ORDER BY generated_tokens), "
    "avg((finish_reason = 'length')::int)::float8 FROM rollouts WHERE run_id = :run_id AND iteration = :iteration"
)
_RESULTS = text(
    f"SELECT {', '.join(IterationResult.__slots__)} FROM iterations "
    "JOIN (SELECT iteration, sum(flops) AS flops, sum(padded_flops) AS padded_flops, "
    "sum(attention_flops) AS attention_flops FROM compute WHERE run_id = :run_id AND stage NOT LIKE 'evaluate%' "
    "GROUP BY iteration) cost USING (iteration) WHERE run_id = :run_id AND phase = 'advanced' ORDER BY iteration"
)
