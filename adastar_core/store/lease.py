"""One owner per run: an advisory lock held for the whole run, and a fencing number for whoever lost it.

The lock refuses a second process at once. A process that was cut off from the database, or hung while another
took its run over, still believes that it owns the run; its next transaction finds a higher number and fails.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from adastar_core.errors import LostLease, RunConflictError
from adastar_core.store.migrate import LOCK_CLASS
from adastar_core.version import code_version

if TYPE_CHECKING:
    from adastar_core.store.runs import Run

_LONGEST_NAME_BYTES = 63


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a run. Usable from several threads.

    Attributes:
        engine: The database.
        run_id: The run's number.
        name: The run's name.
        epoch: The fencing number under which the run was taken over.
    """

    engine: Engine
    run_id: int
    name: str
    epoch: int

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection whose writes are committed together, as long as the run is still owned.

        The run's row stays locked against a take-over until the transaction ends. The run's time runs until its start.

        Raises:
            LostLease: Another process has taken the run over. Nothing is written.
        """
        with self.after_the_report() as connection:
            connection.execute(_SEEN, {"run_id": self.run_id, "epoch": self.epoch})
            yield connection

    def seen(self) -> None:
        """Note that this process is at work: the run's time runs until now.

        Raises:
            LostLease: Another process has taken the run over.
        """
        with self.transaction():
            pass

    @contextmanager
    def after_the_report(self) -> Iterator[Connection]:
        """Yield a transaction as :meth:`transaction` does, without running the run's time on: that is reported already."""
        with self.engine.begin() as connection:
            epoch = connection.scalar(_EPOCH, {"run_id": self.run_id, "name": application_name(self.name)})
            if epoch != self.epoch:
                raise LostLease(
                    f"Run {self.name!r} has been taken over by another process (or dropped) since this one started, "
                    "so this one stops without writing. Whatever it stored before stands."
                )
            yield connection


_EPOCH = text(
    "SELECT lease_epoch FROM runs, set_config('application_name', :name, true) WHERE run_id = :run_id FOR SHARE OF runs"
)

_SEEN = text(
    "UPDATE owners SET seen_at = clock_timestamp() WHERE (run_id, lease_epoch) IN (SELECT run_id, lease_epoch FROM owners "
    "WHERE run_id = :run_id AND lease_epoch = :epoch FOR UPDATE SKIP LOCKED)"
)
"""Threads that write at the same time do not wait for each other here: one of them tells the time."""


@contextmanager
def hold_run(engine: Engine, run: "Run") -> Iterator[None]:
    """Keep every other process from owning a run until the block ends.

    Raises:
        RunConflictError: Another process owns the run; the message names it.
    """
    with engine.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # the lock lives and dies with this session, so it never goes back to the pool
        connection.execute(_SET_NAME, {"name": application_name(run.name)})
        if not connection.scalar(_TRY_LOCK, {"class": LOCK_CLASS, "run_id": run.run_id}):
            raise owned_by(find_owner(connection, run.run_id), run.name)
        try:
            yield
        finally:
            _unlock(connection, run.run_id)


@contextmanager
def own_run(
    engine: Engine, run: "Run", *, iterations: int, patience: int | None, preset: str = ""
) -> Iterator[Lease]:
    """Own a run until the block ends: nobody else can write it meanwhile. The run is then running.

    Args:
        engine: The database.
        run: The run.
        iterations: Iterations wanted now; recorded.
        patience: Iterations without progress before it stops; recorded.
        preset: Where the configuration came from; recorded unless an earlier owner named its own.

    Raises:
        RunConflictError: Another process owns the run; the message names it.
    """
    with hold_run(engine, run):
        yield _take_over(engine, run, iterations, patience, preset)


def find_owner(connection: Connection, run_id: int) -> str | None:
    """Return a description of the process that owns the run now; ``None`` if none does."""
    holder = connection.execute(_HOLDER, {"class": LOCK_CLASS, "run_id": run_id}).one_or_none()
    if holder is None:
        return None
    return f"{holder.owner or 'starting'}, connected as {holder.application_name!r} since {holder.since}"


def owned_by(owner: str | None, run: str) -> RunConflictError:
    """Return the error for a run that another process owns; it may have let go meanwhile."""
    return RunConflictError(
        f"Run {run!r} is owned by another process ({owner or 'which has just ended'}). Wait until it ends, stop it, "
        "or choose another name with --run NAME."
    )


def application_name(run: str) -> str:
    """Return how a run's sessions show in ``pg_stat_activity``."""
    return f"adastar {run}".encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore")


_SET_NAME = text("SELECT set_config('application_name', :name, false)")
_TRY_LOCK = text("SELECT pg_try_advisory_lock(:class, :run_id)")
_UNLOCK = text("SELECT pg_advisory_unlock(:class, :run_id)")
_HOLDER = text(
    "SELECT r.owner, a.application_name, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ') AS since "
    "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid LEFT JOIN runs r ON r.run_id = :run_id "
    "WHERE l.locktype = 'advisory' AND l.classid = CAST(:class AS bigint)::oid "
    "AND l.objid = CAST(:run_id AS bigint)::oid AND l.objsubid = 2 AND l.granted "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_TAKE_OVER = text(
    "WITH taken AS (UPDATE runs SET lease_epoch = lease_epoch + 1, owner = :owner, status = 'running', "
    "finished_at = NULL, iterations = :iterations, patience = :patience, "
    "preset = coalesce(preset, nullif(:preset, '')) WHERE run_id = :run_id RETURNING lease_epoch) "
    "INSERT INTO owners (run_id, lease_epoch, owner, code_version) "
    "SELECT :run_id, lease_epoch, :owner, :code_version FROM taken RETURNING lease_epoch"
)


def _take_over(engine: Engine, run: "Run", iterations: int, patience: int | None, preset: str) -> Lease:
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    values = {"run_id": run.run_id, "owner": owner, "iterations": iterations, "patience": patience}
    values["preset"] = preset
    with engine.begin() as connection:
        epoch = connection.scalar(_TAKE_OVER, {**values, "code_version": code_version()})
    if epoch is None:
        raise RunConflictError(
            f"Run {run.name!r} was dropped while this process was starting. Start it again."
        )
    return Lease(engine, run.run_id, run.name, epoch)


def _unlock(connection: Connection, run_id: int) -> None:
    try:
        connection.execute(_UNLOCK, {"class": LOCK_CLASS, "run_id": run_id})
    except DBAPIError:
        connection.invalidate()  # the session is gone, and the lock with it
