"""A run's own partitions of the large tables: made with the run, dropped with it in a moment.

A partition is made beside its table and then attached, which does not wait for the writes of other runs.
"""

from sqlalchemy import Connection, Table, text

from adastar_core.store import tables

_ATTEMPT_KEY = "run_id, iteration, position, attempt"
_REFERS_TO_ROLLOUTS = (tables.verdicts, tables.training_examples)

# Updates of the statistics change no indexed column; free space in every page keeps the new version beside the
# old one. The other tables only grow: analyze them early, since plans are made on them minutes after creation.
_UPDATED = "fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"
_GROWING = "autovacuum_analyze_scale_factor = 0.05"


def partition(table: Table, run_id: int) -> str:
    """Return the name of a run's partition."""
    return f"{table.name}_r{run_id}"


def create_partitions(connection: Connection, run_id: int) -> None:
    """Make the run's partitions."""
    for table in tables.PARTITIONED:
        name = partition(table, run_id)
        storage = _UPDATED if table is tables.observation_statistics else _GROWING
        connection.execute(text(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL) WITH ({storage})"))
        if table in _REFERS_TO_ROLLOUTS:
            target = partition(tables.rollouts, run_id)
            connection.execute(
                text(
                    f"ALTER TABLE {name} ADD FOREIGN KEY ({_ATTEMPT_KEY}) REFERENCES {target} ({_ATTEMPT_KEY})"
                )
            )
        connection.execute(text(f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES IN ({run_id})"))


def drop_partitions(connection: Connection, run_id: int) -> None:
    """Drop the run's partitions with all their rows."""
    names = ", ".join(partition(table, run_id) for table in tables.PARTITIONED)
    connection.execute(text(f"DROP TABLE {names}"))
