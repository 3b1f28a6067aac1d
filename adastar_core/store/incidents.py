"""What went wrong during generation and was recovered, counted by run, iteration and kind."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from adastar_core.records import Incident
from adastar_core.store import tables

HALVED = "out of memory"
CUT_SHORT = "verdict cut short"
ROUNDED_OTHERWISE = "rounded otherwise"
JUDGED_AGAIN = "judged again"
"""Kinds after which results may differ from those of an undisturbed process."""


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """Incidents of one kind: how many there were, and what the last one was."""

    iteration: int
    kind: str
    times: int
    detail: str


def write_incident(
    connection: Connection, run_id: int, iteration: int, incident: Incident, times: int = 1
) -> None:
    """Count an incident ``times`` more times; its description replaces that of the last one of its kind.

    ``iteration`` is that of the checkpoint that generated; 0 = the base model.
    """
    table = tables.incidents
    key = {"run_id": run_id, "iteration": iteration, "kind": incident.kind}
    statement = insert(table).values(**key, times=times, detail=incident.detail)
    again = {"times": table.c.times + times, "detail": incident.detail, "last_at": func.now()}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=again))


def read_incidents(connection: Connection, run_id: int) -> Sequence[IncidentRow]:
    """Return a run's incidents by iteration and kind."""
    table = tables.incidents
    query = select(*(table.c[name] for name in IncidentRow.__slots__)).where(table.c.run_id == run_id)
    rows = connection.execute(query.order_by(table.c.iteration, table.c.kind))
    return [IncidentRow(*row) for row in rows]
