"""Incidents are counted, and the last one of a kind is described."""

from adastar_core.records import Incident
from adastar_core.store.incidents import read_incidents, write_incident
from adastar_core.store.lease import Lease


def test_incidents_of_a_kind_are_counted(lease: Lease) -> None:
    with lease.transaction() as connection:
        for iteration, kind, detail in ((1, "out of memory", "first"), (0, "engine rebuilt", "only")):
            write_incident(connection, lease.run_id, iteration, Incident(kind, detail))
        write_incident(connection, lease.run_id, 1, Incident("out of memory", "second"))
        found = read_incidents(connection, lease.run_id)
    assert [(one.iteration, one.kind, one.times, one.detail) for one in found] == [
        (0, "engine rebuilt", 1, "only"),
        (1, "out of memory", 2, "second"),
    ]
