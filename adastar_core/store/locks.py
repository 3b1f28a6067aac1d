"""Advisory locks: who holds what, and how to wait for another process's work.

Nobody waits inside PostgreSQL for work that may take hours: limits on sessions would cut the wait off, and an open
transaction would block others. A lock is tried repeatedly, with no transaction open between two tries. PostgreSQL ties
a lock to its session, so a holder that dies releases it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from adastar_core.errors import LostLease, RunConflictError
from adastar_core.machine.waiting import Notify, Waiting
from adastar_core.names import ANOTHER

RUN, EVALUATION, DATASET, PROBE = 0xADA5, 0xADA6, 0xADA7, 0xADA8
"""First keys of the project's advisory locks."""
_LONGEST_NAME_BYTES = 63


@dataclass(frozen=True, slots=True)
class Lock:
    """An advisory lock with two keys; ``number`` is from 0 to 2^31 - 1.

    ``what`` is waited for: "another process to bring the tables up to date".
    """

    kind: int
    number: int
    what: str

    @classmethod
    def of_run(cls, run_id: int, name: str) -> "Lock":
        """Return the lock that the owner of a run holds."""
        return cls(RUN, run_id, f"run {name!r}")

    @classmethod
    def of_content(cls, kind: int, sha256: str, what: str) -> "Lock":
        """Return the lock on work with this content. A collision of two contents costs a needless wait, no more."""
        return cls(kind, int(sha256[:8], 16) & 0x7FFFFFFF, what)

    @property
    def keys(self) -> dict[str, int]:
        return {"kind": self.kind, "number": self.number}


SCHEMA = Lock(RUN, 0, "another process to bring the tables up to date")
"""No run has the number 0."""


@dataclass(frozen=True)
class Held:
    """A lock held by a session, ``pid`` being its server process. Usable from several threads."""

    lock: Lock
    pid: int
    _session: Connection
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def require(self) -> None:
        """Check that the session still holds the lock.

        A session that was cut off is no error here: the lease's fencing number decides whether somebody took over.

        Raises:
            LostLease: The connection's statements now run in another session of the server.
        """
        with self._mutex:
            if self._session.invalidated:
                return
            try:
                ours = self._session.scalar(_OURS, {**self.lock.keys, "pid": self.pid})
            except DBAPIError:
                self._session.invalidate()
                return
        if not ours:
            raise LostLease(
                f"The database session that held {self.lock.what} no longer holds it, as happens behind a connection "
                "pooler that shares sessions. Use the server's own address or pool_mode = session, and run the same "
                "command again."
            )

    def release(self) -> None:
        with self._mutex:
            if self._session.invalidated:
                return
            try:
                self._session.execute(_UNLOCK, self.lock.keys)
            except DBAPIError:
                self._session.invalidate()  # the session is gone, and the lock with it


@contextmanager
def try_lock(engine: Engine, lock: Lock, name: str) -> Iterator[Held | None]:
    """Yield the lock, held until the block ends, or ``None`` at once where another session has it.

    ``name`` is how the session shows in ``pg_stat_activity``.
    """
    with _session(engine, name) as session:
        held = _take(session, lock)
        try:
            yield held
        finally:
            if held is not None:
                held.release()


@contextmanager
def acquire(engine: Engine, lock: Lock, name: str, notify: Notify) -> Iterator[None]:
    """Wait until no other session has the lock, then hold it as :func:`try_lock` does."""
    waiting = Waiting(lock.what, notify)
    with _session(engine, name) as session:
        while (held := _take(session, lock)) is None:
            waiting.pause(find_holder(session, lock))
        try:
            yield
        finally:
            held.release()


@contextmanager
def acquire_in_transaction(engine: Engine, lock: Lock, name: str, notify: Notify) -> Iterator[Connection]:
    """Yield a transaction that holds the lock to its end; wait before it, as in :func:`acquire`."""
    waiting = Waiting(lock.what, notify)
    while True:
        with engine.begin() as connection:
            connection.execute(_NAME, {"name": name})
            if try_lock_in_transaction(connection, lock):
                yield connection
                return
            holder = find_holder(connection, lock)
        waiting.pause(holder)


def try_lock_in_transaction(connection: Connection, lock: Lock) -> bool:
    """Return whether the transaction has the lock now, which it then holds to its end."""
    return bool(connection.scalar(_TRY_IN_TRANSACTION, lock.keys))


@contextmanager
def hold_run(engine: Engine, run_id: int, name: str) -> Iterator[Held]:
    """Keep every other process from owning a run until the block ends.

    Raises:
        RunConflictError: Another process owns the run; the message names it.
    """
    with try_lock(engine, Lock.of_run(run_id, name), application_name(name)) as held:
        if held is None:
            with engine.connect() as connection:
                raise owned_by(find_owner(connection, run_id), name)
        yield held


@contextmanager
def evaluate_alone(engine: Engine, content_sha256: str, name: str, notify: Notify) -> Iterator[None]:
    """Let one run at a time evaluate the same base model in the same way, so that the others find its answers.

    ``content_sha256`` is the digest of all that decides the answers.
    """
    lock = Lock.of_content(EVALUATION, content_sha256, "another run to evaluate the base model")
    with acquire(engine, lock, application_name(name), notify):
        yield


def find_owner(connection: Connection, run_id: int) -> str | None:
    """Return a description of the process that owns the run now; ``None`` if none does."""
    holder = find_holder(connection, Lock.of_run(run_id, ""))
    if holder is None:
        return None
    owner = connection.scalar(text("SELECT owner FROM runs WHERE run_id = :run_id"), {"run_id": run_id})
    return f"{owner or 'starting'}, {holder}"


def owned_by(owner: str | None, run: str) -> RunConflictError:
    """Return the error for a run that another process owns; it may have ended meanwhile."""
    return RunConflictError(
        f"Run {run!r} is owned by another process ({owner or 'which has just ended'}). Wait until it ends, stop it, "
        f"or {ANOTHER}."
    )


def find_holder(connection: Connection, lock: Lock) -> str | None:
    """Return a description of the session that has the lock now; ``None`` if none has."""
    row = connection.execute(_HOLDER, lock.keys).one_or_none()
    return None if row is None else f"connected as {row.application_name!r} since {row.since}"


def application_name(run: str) -> str:
    """Return how a run's sessions show in ``pg_stat_activity``."""
    return f"adastar {run}".encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore")


@contextmanager
def _session(engine: Engine, name: str) -> Iterator[Connection]:
    """Yield a session outside the pool, without a transaction and without a limit on its idle time."""
    with engine.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # its locks live and die with it, so it never goes back to the pool
        connection.execute(_SET_UP, {"name": name})
        yield connection


def _take(session: Connection, lock: Lock) -> Held | None:
    taken, pid = session.execute(_TRY, lock.keys).one()
    return Held(lock, pid, session) if taken else None


# pg_locks shows both keys as oid, and the locks of every database of the server; objsubid 2 means "a lock of two keys".
_OF_KIND = (
    "locktype = 'advisory' AND classid = CAST(:kind AS bigint)::oid AND objsubid = 2 AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_OF = f"{_OF_KIND} AND objid = CAST(:number AS bigint)::oid"
HELD_NUMBERS = f"SELECT CAST(CAST(objid AS bigint) AS int) AS number FROM pg_locks WHERE {_OF_KIND}"
"""A query of the second keys of all locks of a ``:kind`` that some session holds."""
_SET_UP = text(
    "SELECT set_config('application_name', :name, false), set_config('idle_session_timeout', '0', false)"
)
_NAME = text("SELECT set_config('application_name', :name, true)")
_TRY = text("SELECT pg_try_advisory_lock(:kind, :number), pg_backend_pid()")
_TRY_IN_TRANSACTION = text("SELECT pg_try_advisory_xact_lock(:kind, :number)")
_UNLOCK = text("SELECT pg_advisory_unlock(:kind, :number)")
_OURS = text(f"SELECT pg_backend_pid() = :pid AND EXISTS (SELECT FROM pg_locks WHERE pid = :pid AND {_OF})")
_HOLDER = text(
    "SELECT a.application_name, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ') AS since "
    f"FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE {_OF} LIMIT 1"
)
