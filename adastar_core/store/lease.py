"""One owner per run: an advisory lock held for its whole life, and a fencing number for a process that lost it.

The lock refuses a second process at once. A process that was cut off from the database, or hung while another took the
run over, still believes that it owns the run; its next transaction finds a higher number and fails.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text

from adastar_core.errors import LostLease, RunConflictError
from adastar_core.machine.starter import Starter
from adastar_core.machine.version import code_version
from adastar_core.store.bulk import storable
from adastar_core.store.locks import Held, application_name, hold_run
from adastar_core.store.runs import Run


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a run, taken over under the fencing number ``epoch``. Usable from several threads.

    ``held`` is the lock that keeps other processes out; ``None`` for a lease that can write nothing.
    """

    engine: Engine
    run_id: int
    name: str
    epoch: int
    held: Held | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a transaction that is committed only while the run is still owned.

        It locks the run's row against a take-over until its end, and extends the run's wall time to its start.

        Raises:
            LostLease: Another process has taken the run over, or could do so. Nothing is written.
        """
        with self.after_the_report() as connection:
            connection.execute(_SEEN, {"run_id": self.run_id, "epoch": self.epoch})
            yield connection

    def seen(self) -> None:
        """Extend the run's wall time to now; errors as in :meth:`transaction`."""
        with self.transaction():
            pass

    @contextmanager
    def after_the_report(self) -> Iterator[Connection]:
        """Yield a transaction as :meth:`transaction` does, with the run's wall time unchanged: it is reported already."""
        if self.held is not None:
            self.held.require()
        with self.engine.begin() as connection:
            epoch = connection.scalar(_EPOCH, {"run_id": self.run_id, "name": application_name(self.name)})
            if epoch != self.epoch:
                raise LostLease(
                    f"Run {self.name!r} has been taken over by another process (or dropped) since this one started, "
                    "so this one stops without writing. What it stored before is kept."
                )
            yield connection


@contextmanager
def own_run(
    engine: Engine,
    run: Run,
    *,
    iterations: int,
    patience: int | None,
    preset: str = "",
    file_store: str | None = None,
    starter: Starter = Starter(None),  # noqa: B008 (frozen)
) -> Iterator[Lease]:
    """Own a run until the block ends: no other process can write it meanwhile. The run's status becomes running.

    ``iterations``, ``patience``, the address ``file_store`` and ``starter`` are recorded, and ``preset`` unless an earlier owner named its own.

    Raises:
        RunConflictError: Another process owns the run (the message names it), or it was dropped.
    """
    values = {
        "run_id": run.run_id,
        "owner": f"process {os.getpid()} on {socket.gethostname()}",
        "iterations": iterations,
        "patience": patience,
        "preset": preset,
        "file_store": file_store,
        "code_version": code_version(),
        "started_by": starter.by and storable(starter.by),
        "deployment": starter.deployment and storable(starter.deployment),
        "flow_run": starter.flow_run,
    }
    with hold_run(engine, run.run_id, run.name) as held:
        with engine.begin() as connection:
            epoch: int | None = connection.scalar(_TAKE_OVER, values)
        if epoch is None:
            raise RunConflictError(
                f"Run {run.name!r} was dropped while this process was starting. Start it again."
            )
        yield Lease(engine, run.run_id, run.name, epoch, held)


# FOR SHARE conflicts with the UPDATE of a take-over, so the number that was read holds until the commit; writers of the
# same owner do not block each other.
_EPOCH = text(
    "SELECT lease_epoch FROM runs, set_config('application_name', :name, true) WHERE run_id = :run_id FOR SHARE OF runs"
)
# SKIP LOCKED: of threads that write at the same time, one notes the time and the others do not wait for it.
_SEEN = text(
    "UPDATE owners SET seen_at = clock_timestamp() WHERE (run_id, lease_epoch) IN (SELECT run_id, lease_epoch FROM owners "
    "WHERE run_id = :run_id AND lease_epoch = :epoch FOR UPDATE SKIP LOCKED)"
)
_TAKE_OVER = text(
    "WITH taken AS (UPDATE runs SET lease_epoch = lease_epoch + 1, owner = :owner, status = 'running', "
    "finished_at = NULL, failure = NULL, iterations = :iterations, patience = :patience, file_store = :file_store, "
    "preset = coalesce(preset, nullif(:preset, '')) WHERE run_id = :run_id RETURNING lease_epoch) "
    "INSERT INTO owners (run_id, lease_epoch, owner, code_version, started_by, deployment, flow_run) "
    "SELECT :run_id, lease_epoch, :owner, :code_version, :started_by, :deployment, :flow_run FROM taken "
    "RETURNING lease_epoch"
)
