"""Measure how fast the store writes, reads and advances, on its own local server with durable commits.

Three tables: storing rollouts and verdicts, against SQLAlchemy's multi-row INSERT and against COPY through a temporary
table; reading back what planning needs; and advancing an iteration at growing numbers of observations, in turns with the
least that Postgres could do for it. Every figure is the median over rounds, next to the fastest round, because other work
on the machine only adds time::

    python bench/store.py --json store.json        (--largest 1e7 takes a minute more and 2 GB of disk)
"""

import functools
import io
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg2.extensions
from common import run, save, show, timed
from scene import owned_run, prepare_iteration, server
from sqlalchemy import Connection, Engine, Table, text
from sqlalchemy.dialects.postgresql import insert

from adastar_core.records import Attempt, FinishReason, Outcome, Verdict
from adastar_core.selection import Visit
from adastar_core.store import bulk, rollouts, tables, verdicts
from adastar_core.store.iterations import _LOOK_UP, _array, advance
from adastar_core.store.lease import Lease
from adastar_core.store.statistics import read_statistics

VERIFIER = "number/1"
WORDS = [f"word{n}" for n in range(3000)]
STAMPED_SHARE = 0.64


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one operation, median and fastest; rows per second at the median."""

    operation: str
    rows: int
    median_ms: float
    fastest_ms: float
    rows_per_second: float


@dataclass(frozen=True)
class AdvanceTiming:
    """Milliseconds of an advance with its commit, and of reading all statistics, for ``observations`` of them.

    ``least_ms`` is the median of one column's update and of one insertion, of as many rows in the same tables, with their
    commit.
    """

    observations: int
    visited: int
    stamped: int
    median_ms: float
    fastest_ms: float
    least_ms: float
    in_page_updates: float
    read_statistics_ms: float


def main(
    *, rounds: int = 5, largest: float = 1e6, directory: Path | None = None, json: Path | None = None
) -> None:
    """Measure, print the tables, and write them as JSON where asked to.

    Args:
        rounds: Repetitions of each measurement.
        largest: Most observations.
        directory: Where to put the server; a temporary directory by default.
        json: Where to write the figures.
    """
    with server(directory) as engine:
        timings = [*_measure_writes(engine, rounds), *_measure_reads(engine, rounds)]
        sizes = [(10**4, 3000), (10**5, 3000), (10**6, 3000), (10**6, 30_000), (10**7, 3000)]
        advances = [_measure_advance(engine, n, m, rounds * 3) for n, m in sizes if n <= largest]
    show("Rows written and read", timings)
    show("Advance of an iteration, with commit", advances)
    save(json, {"rows": timings, "advance": advances})


def _attempts(count: int) -> list[Attempt]:
    """Return attempts with 1.2 kB rationales, about 300 tokens."""
    return [
        Attempt(
            n,
            1,
            hinted=False,
            response=" ".join(random.choices(WORDS, k=150)),
            finish_reason=FinishReason.EOS,
            prompt_tokens=100,
            padded_prompt_tokens=120,
            generated_tokens=300,
            padded_generated_tokens=320,
            stream=random.getrandbits(64),
        )
        for n in range(count)
    ]


def _judged(count: int) -> list[verdicts.JudgedAttempt]:
    verdict = Verdict(Outcome.RIGHT, "42", "#### X", "the numbers are equal", VERIFIER)
    return [verdicts.JudgedAttempt(n, 1, verdict) for n in range(count)]


Write = Callable[[Connection, Table, Sequence[str], Sequence[Sequence[object]]], object]


def _multi_row_insert(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    values = [dict(zip(columns, row, strict=True)) for row in rows]
    connection.execute(insert(table).on_conflict_do_nothing(), values)


def _copy_through_temporary(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    names = ", ".join(columns)
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg2.extensions.connection)
    with driver.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE incoming (LIKE {table.name} INCLUDING DEFAULTS) ON COMMIT DROP")
        lines = "\n".join("\t".join(map(_escaped, row)) for row in rows)
        cursor.copy_expert(f"COPY incoming ({names}) FROM STDIN", io.StringIO(lines + "\n"))
        cursor.execute(f"INSERT INTO {table.name} SELECT * FROM incoming ON CONFLICT DO NOTHING")


def _escaped(value: object) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _measure_writes(engine: Engine, rounds: int) -> Iterator[Timing]:
    """Yield timings of every way to write, of writing again, and of verdicts."""
    ways: dict[str, Write] = {
        "store": bulk.insert_new,
        "multi-row INSERT": _multi_row_insert,
        "COPY, temporary table": _copy_through_temporary,
    }
    for count in (256, 6000):
        attempts, judged = _attempts(count), _judged(count)
        taken: dict[str, list[float]] = {}
        with owned_run(engine) as lease:
            iterations = iter(range(1, 10**6))
            for _ in range(rounds):
                for name, way in ways.items():
                    iteration = next(iterations)
                    write = functools.partial(_write_attempts, lease, iteration, attempts, way)
                    taken.setdefault(f"rollouts: {name}", []).append(timed(write) * 1e3)
                    if way is bulk.insert_new:
                        taken.setdefault("rollouts: store, again", []).append(timed(write) * 1e3)
                        write = functools.partial(_write_verdicts, lease, iteration, judged)
                        taken.setdefault("verdicts: store", []).append(timed(write) * 1e3)
        yield from (_timing(name, count, times) for name, times in taken.items())


def _write_attempts(lease: Lease, iteration: int, attempts: Sequence[Attempt], way: Write) -> None:
    same = (lease.run_id, iteration, "c" * 64, 0.01, "p" * 64)
    rows = [(*same, *rollouts.stored_values(attempt)) for attempt in attempts]
    with lease.transaction() as connection:
        way(connection, tables.rollouts, rollouts.COLUMNS, rows)


def _write_verdicts(lease: Lease, iteration: int, judged: Sequence[verdicts.JudgedAttempt]) -> None:
    with lease.transaction() as connection:
        verdicts.write_verdicts(connection, lease.run_id, iteration, judged)


def _measure_reads(engine: Engine, rounds: int) -> Iterator[Timing]:
    count = 60_000
    with owned_run(engine) as lease, engine.connect() as connection:
        _write_attempts(lease, 1, _attempts(count), bulk.insert_new)
        _write_verdicts(lease, 1, _judged(count))
        where = connection, lease.run_id, 1
        reads: dict[str, Callable[[], object]] = {
            "judged attempts, for planning": lambda: verdicts.read_judged(*where, VERIFIER),
            "attempts, whole": lambda: rollouts.read_attempts(*where),
            "attempts without a verdict": lambda: rollouts.read_unjudged(*where, VERIFIER),
        }
        for name, read in reads.items():
            yield _timing(f"read {name}", count, [timed(read) * 1e3 for _ in range(rounds)])


def _measure_advance(engine: Engine, observations: int, m: int, rounds: int) -> AdvanceTiming:
    """Advance ``rounds`` iterations that visit ``m`` random observations each."""
    choice = np.random.default_rng(0)
    stamped = int(m * STAMPED_SHARE)
    with owned_run(engine) as lease:
        prepare_iteration(lease, 1, observations)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"VACUUM ANALYZE observation_statistics_r{lease.run_id}"))
        with engine.connect() as connection:
            read_seconds = min(timed(lambda: read_statistics(connection, lease.run_id)) for _ in range(3))
        times, least = [], []
        for iteration in range(1, rounds + 1):
            positions = choice.choice(observations, m, replace=False).tolist()
            visits = [Visit(position, 2, position % 3, (1,) * (position % 2), True) for position in positions]
            times.append(timed(functools.partial(_advance, lease, iteration, visits, stamped)) * 1e3)
            prepare_iteration(lease, iteration + 1, observations)
            others = sorted(choice.choice(observations, m, replace=False).tolist())
            least.append(timed(functools.partial(_least, lease, rounds + iteration, others)) * 1e3)
        in_page = _in_page_updates(engine, lease.run_id, 2 * m * rounds)
        median = statistics.median(times)
        bound = statistics.median(least)
        return AdvanceTiming(observations, m, stamped, median, min(times), bound, in_page, read_seconds * 1e3)


def _advance(lease: Lease, iteration: int, visits: Sequence[Visit], stamped: int) -> None:
    with lease.transaction() as connection:
        advance(connection, lease.run_id, iteration, visits, alpha=0.8, stamped=stamped, seconds=1.0)


def _least(lease: Lease, iteration: int, positions: Sequence[int]) -> None:
    """Change one number of each row and append as many rows, durably: an advance cannot do with less."""
    values = {"run_id": lease.run_id, "iteration": iteration, "positions": _array(list(positions))}
    with lease.transaction() as connection:
        connection.execute(_LOOK_UP)
        connection.execute(_UPDATE_ONE, values)
        connection.execute(_APPEND, values)


_GIVEN = "unnest(CAST(:positions AS int[])) AS given (position)"
_UPDATE_ONE = text(
    f"UPDATE observation_statistics s SET times_visited = times_visited + 1 FROM {_GIVEN} "
    "WHERE s.run_id = :run_id AND s.position = given.position"
)
_APPEND = text(
    "INSERT INTO observation_events (run_id, iteration, rank, position, previous_last_iteration, previous_correct, "
    "previous_attempts, attempts, correct, accepted, stamped) "
    f"SELECT :run_id, :iteration, position, position, 0, 0, 0, 1, 1, 1, true FROM {_GIVEN}"
)


def _in_page_updates(engine: Engine, run_id: int, updates: int) -> float:
    """Return the share of updates that stayed within their page and so left the index alone."""
    query = text("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = :name")
    deadline = time.monotonic() + 10
    while True:
        with engine.connect() as connection:
            done, in_page = connection.execute(query, {"name": f"observation_statistics_r{run_id}"}).one()
        if done >= updates or time.monotonic() > deadline:
            return float(in_page / max(done, 1))
        time.sleep(0.2)  # the server publishes its counters about once a second


def _timing(name: str, rows: int, times: list[float]) -> Timing:
    median = statistics.median(times)
    return Timing(name, rows, median, min(times), rows / median * 1e3)


if __name__ == "__main__":
    run(main, __doc__)
