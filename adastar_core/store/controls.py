"""What exploration control chose for each iteration; the first choice is kept."""

from dataclasses import asdict

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from adastar_core.selection.exploration import Control
from adastar_core.store import tables


def write_control(connection: Connection, run_id: int, iteration: int, control: Control) -> None:
    """Record an iteration's choice unless there is one."""
    values = {"run_id": run_id, "iteration": iteration, **asdict(control)}
    connection.execute(insert(tables.controls).values(values).on_conflict_do_nothing())


def find_control(connection: Connection, run_id: int, iteration: int) -> Control | None:
    """Return how an iteration explored; ``None`` if it did not, or has not begun."""
    table = tables.controls
    columns = (table.c.temperature, table.c.attempts, table.c.score)
    query = select(*columns).where(table.c.run_id == run_id, table.c.iteration == iteration)
    row = connection.execute(query).one_or_none()
    return None if row is None else Control(*row)
