"""How the processes that worked on a run rounded, and whether they all rounded alike."""

from dataclasses import asdict

from sqlalchemy import Connection, select, text
from sqlalchemy.dialects.postgresql import insert

from adastar_core.machine.numerics import Numerics
from adastar_core.store import tables
from adastar_core.store.incidents import CUT_SHORT, HALVED


def write_numerics(connection: Connection, run_id: int, lease_epoch: int, numerics: Numerics) -> None:
    """Record how the process rounds that owns the run under this fencing number."""
    digest = numerics.generation_sha256()
    values = {**asdict(numerics), "run_id": run_id, "lease_epoch": lease_epoch, "generation_sha256": digest}
    connection.execute(insert(tables.numerics).values(values).on_conflict_do_nothing())


def read_numerics(connection: Connection, run_id: int) -> dict[int, Numerics]:
    """Return how each process rounded, by fencing number, the oldest first; without processes of old versions of the code."""
    table = tables.numerics
    query = select(table).where(table.c.run_id == run_id).order_by(table.c.lease_epoch)
    return {
        row.lease_epoch: Numerics(**{name: row._mapping[name] for name in Numerics.__slots__})
        for row in connection.execute(query)
    }


def all_rounded_alike(connection: Connection, run_id: int, iteration: int, numerics: Numerics) -> bool:
    """Return whether what a run generated from a checkpoint is what any process with these numerics makes."""
    key = {"run_id": run_id, "digest": numerics.generation_sha256(), "iteration": iteration}
    disturbing = [CUT_SHORT] if numerics.exact else [CUT_SHORT, HALVED]
    return bool(connection.scalar(_ALIKE, {**key, "kinds": disturbing}))


_ALIKE = text(
    "SELECT NOT EXISTS (SELECT FROM owners o LEFT JOIN numerics n USING (run_id, lease_epoch) "
    "WHERE o.run_id = :run_id AND n.generation_sha256 IS DISTINCT FROM :digest) "
    "AND NOT EXISTS (SELECT FROM incidents WHERE run_id = :run_id AND iteration = :iteration AND kind = ANY(:kinds))"
)
