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

from adastar_core.errors import LostLease, RunConflictError
from adastar_core.machine.version import code_version
from adastar_core.store.locks import Held, Lock, application_name, find_holder, hold

if TYPE_CHECKING:
    from adastar_core.store.runs import Run


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a run. Usable from several threads.

    Attributes:
        engine: The database.
        run_id: The run's number.
        name: The run's name.
        epoch: The fencing number under which the run was taken over.
        held: The lock that keeps other processes out; ``None`` for a lease that can write nothing.
    """

    engine: Engine
    run_id: int
    name: str
    epoch: int
    held: Held | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection whose writes are committed together, as long as the run is still owned.

        The run's row stays locked against a take-over until the transaction ends. The run's time runs until its start.

        Raises:
            LostLease: Another process has taken the run over, or could do so. Nothing is written.
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
        if self.held is not None:
            self.held.require()
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
def hold_run(engine: Engine, run: "Run") -> Iterator[Held]:
    """Keep every other process from owning a run until the block ends.

    Raises:
        RunConflictError: Another process owns the run; the message names it.
    """
    with hold(engine, Lock.of_run(run.run_id, run.name), application_name(run.name)) as held:
        if held is None:
            with engine.connect() as connection:
                raise owned_by(find_owner(connection, run.run_id), run.name)
        yield held


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
    with hold_run(engine, run) as held:
        epoch = _take_over(engine, run, iterations, patience, preset)
        yield Lease(engine, run.run_id, run.name, epoch, held)


def find_owner(connection: Connection, run_id: int) -> str | None:
    """Return a description of the process that owns the run now; ``None`` if none does."""
    holder = find_holder(connection, Lock.of_run(run_id, ""))
    if holder is None:
        return None
    owner = connection.scalar(text("SELECT owner FROM runs WHERE run_id = :run_id"), {"run_id": run_id})
    return f"{owner or 'starting'}, {holder}"


def owned_by(owner: str | None, run: str) -> RunConflictError:
    """Return the error for a run that another process owns; it may have let go meanwhile."""
    return RunConflictError(
        f"Run {run!r} is owned by another process ({owner or 'which has just ended'}). Wait until it ends, stop it, "
        "or choose another name with --run NAME."
    )


_TAKE_OVER = text(
    "WITH taken AS (UPDATE runs SET lease_epoch = lease_epoch + 1, owner = :owner, status = 'running', "
    "finished_at = NULL, iterations = :iterations, patience = :patience, "
    "preset = coalesce(preset, nullif(:preset, '')) WHERE run_id = :run_id RETURNING lease_epoch) "
    "INSERT INTO owners (run_id, lease_epoch, owner, code_version) "
    "SELECT :run_id, lease_epoch, :owner, :code_version FROM taken RETURNING lease_epoch"
)


def _take_over(engine: Engine, run: "Run", iterations: int, patience: int | None, preset: str) -> int:
    """Record the new owner and return its fencing number."""
    owner = f"process {os.getpid()} on {socket.gethostname()}"
    values = {"run_id": run.run_id, "owner": owner, "iterations": iterations, "patience": patience}
    values["preset"] = preset
    with engine.begin() as connection:
        epoch: int | None = connection.scalar(_TAKE_OVER, {**values, "code_version": code_version()})
    if epoch is None:
        raise RunConflictError(
            f"Run {run.name!r} was dropped while this process was starting. Start it again."
        )
    return epoch
