"""A run's partitions of the large tables: created with the run, dropped with it at once.

A partition is created as its own table and then attached, which does not wait for the writes of other runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, text

from adastar_core.store import tables

_ATTEMPT_KEY = "run_id, iteration, position, attempt"
# The tables that only grow are analyzed early, since plans are made on them minutes after creation.
_UPDATED = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"
_GROWING = "autovacuum_analyze_scale_factor = 0.05"
_FILLED_PERCENT = 75


def partition(table: Table, run_id: int) -> str:
    """Return the name of a run's partition of a table."""
    return f"{table.name}_r{run_id}"


def create_partitions(connection: Connection, run_id: int) -> None:
    """Make a new run's partition of every large table, in the transaction that inserts the run."""
    for table in tables.PARTITIONED:
        name = partition(table, run_id)
        storage = _UPDATED if table is tables.observation_statistics else _GROWING
        connection.execute(text(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL) WITH ({storage})"))
        if table in (tables.verdicts, tables.training_examples):
            target = partition(tables.rollouts, run_id)
            reference = f"FOREIGN KEY ({_ATTEMPT_KEY}) REFERENCES {target} ({_ATTEMPT_KEY})"
            connection.execute(text(f"ALTER TABLE {name} ADD {reference}"))
        connection.execute(text(f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES IN ({run_id})"))


@contextmanager
def room_for_updates(connection: Connection, run_id: int) -> Iterator[None]:
    """Leave room in the statistics' pages while the block enters observations.

    Updates change no indexed column, so a new row version on the same page leaves the index unchanged. A reader prunes a page
    whose free space is less than the fill factor asks for: with the factor back at 100 %, a page is pruned once in about
    twenty updates instead of at each, which makes :func:`advance` a quarter faster.
    """
    table = partition(tables.observation_statistics, run_id)
    connection.execute(text(f"ALTER TABLE {table} SET (fillfactor = {_FILLED_PERCENT})"))
    yield
    connection.execute(text(f"ALTER TABLE {table} RESET (fillfactor)"))


def drop_partitions(connection: Connection, run_id: int) -> None:
    """Drop the run's partitions with all their rows."""
    names = ", ".join(partition(table, run_id) for table in tables.PARTITIONED)
    connection.execute(text(f"DROP TABLE {names}"))


def size_of_partitions(connection: Connection, run_id: int) -> int:
    """Return the bytes that the run's partitions take with their indexes."""
    names = [partition(table, run_id) for table in tables.PARTITIONED]
    query = text(
        "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) FROM unnest(:names) name"
    )
    return int(connection.execute(query, {"names": names}).scalar_one())
