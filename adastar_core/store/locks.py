"""Who holds what, and the one way to wait for another process's work.

A session that waits inside PostgreSQL is cut by limits that are meant for short waits, and so is one that leaves a
transaction open. So nobody waits there for work that may take hours: a lock is tried, with no transaction open between
two tries, until it is free. PostgreSQL ties a lock to its session, so a holder that dies lets go of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from adastar_core.errors import LostLease

RUN, EVALUATION, DATASET, PROBE = 0xADA5, 0xADA6, 0xADA7, 0xADA8
"""First keys of the project's advisory locks."""
_LONGEST_NAME_BYTES = 63
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 2.0
_SAY_AFTER_SECONDS = 1.0
_logger = logging.getLogger(__name__)

Tell = Callable[[str], None]
"""Shows one line: what is waited for, and who has it."""


@dataclass(frozen=True, slots=True)
class Lock:
    """An advisory lock.

    Attributes:
        kind: Its first key.
        number: Its second key, from 0 to 2^31 - 1.
        what: What is waited for: "another process to bring the tables up to date".
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
        """Return the lock on work that its content names. Two contents that share a number wait in vain, no more."""
        return cls(kind, int(sha256[:8], 16) & 0x7FFFFFFF, what)

    @property
    def keys(self) -> dict[str, int]:
        """Both keys, as the queries here take them."""
        return {"kind": self.kind, "number": self.number}


SCHEMA = Lock(RUN, 0, "another process to bring the tables up to date")
"""No run has the number 0."""


@dataclass(frozen=True)
class Held:
    """A lock that a session of this process holds. Usable from several threads.

    Attributes:
        lock: The lock.
        pid: The process of the server that has it.
    """

    lock: Lock
    pid: int
    _session: Connection
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def require(self) -> None:
        """Look that the session is still the one that holds the lock. One that was cut off is no error: see ``lease``.

        Raises:
            LostLease: Its statements reach another session of the server.
        """
        with self._alone:
            if self._session.invalidated:
                return
            try:
                mine = self._session.scalar(_MINE, {**self.lock.keys, "pid": self.pid})
            except DBAPIError:
                self._session.invalidate()
                return
        if not mine:
            raise LostLease(
                f"The database session that held {self.lock.what} holds it no longer, as happens behind a connection "
                "pooler that shares sessions. Use the server's own address or pool_mode = session, and run the same "
                "command again."
            )

    def release(self) -> None:
        """Let go of the lock."""
        with self._alone:
            if self._session.invalidated:
                return
            try:
                self._session.execute(_UNLOCK, self.lock.keys)
            except DBAPIError:
                self._session.invalidate()  # the session is gone, and the lock with it


@contextmanager
def hold(engine: Engine, lock: Lock, name: str) -> Iterator[Held | None]:
    """Yield the lock, held until the block ends, or ``None`` at once where another session has it.

    Args:
        engine: The database.
        lock: The lock.
        name: How the session shows in ``pg_stat_activity``.
    """
    with _session(engine, name) as session:
        held = _take(session, lock)
        try:
            yield held
        finally:
            if held is not None:
                held.release()


@contextmanager
def turn(engine: Engine, lock: Lock, name: str, tell: Tell) -> Iterator[None]:
    """Hold the lock until the block ends; wait before it as long as another session has it.

    Args:
        engine: The database.
        lock: The lock.
        name: How the session shows in ``pg_stat_activity``.
        tell: Called with who is waited for.
    """
    waiting = Waiting(lock.what, tell)
    with _session(engine, name) as session:
        while (held := _take(session, lock)) is None:
            waiting.pause(find_holder(session, lock))
        try:
            yield
        finally:
            held.release()


@contextmanager
def turn_to_write(engine: Engine, lock: Lock, name: str, tell: Tell) -> Iterator[Connection]:
    """Yield a transaction that holds the lock to its end; wait before it, as in :func:`turn`."""
    waiting = Waiting(lock.what, tell)
    while True:
        with engine.begin() as connection:
            connection.execute(_NAME, {"name": name})
            if take_to_write(connection, lock):
                yield connection
                return
            holder = find_holder(connection, lock)
        waiting.pause(holder)


def take_to_write(connection: Connection, lock: Lock) -> bool:
    """Return whether the transaction has the lock now, which it then holds to its end."""
    return bool(connection.scalar(_TRY_IN_TRANSACTION, lock.keys))


def warn(line: str) -> None:
    """Show whom we wait for where there is no progress to show it in."""
    _logger.warning(line)


def find_holder(connection: Connection, lock: Lock) -> str | None:
    """Return a description of the session that has the lock now; ``None`` if none has."""
    row = connection.execute(_HOLDER, lock.keys).one_or_none()
    return None if row is None else f"connected as {row.application_name!r} since {row.since}"


def application_name(run: str) -> str:
    """Return how a run's sessions show in ``pg_stat_activity``."""
    return f"adastar {run}".encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore")


class Waiting:
    """The pauses between two tries, longer each time, and the line that says what and whom we wait for."""

    def __init__(self, what: str, tell: Tell) -> None:
        self._what, self._tell = what, tell
        self._seconds, self._began = _FIRST_PAUSE_SECONDS, time.monotonic()
        self._told: str | None = None

    def pause(self, holder: str | None) -> None:
        """Sleep a moment; say who has what we wait for when that is somebody else than the last time."""
        waited = time.monotonic() - self._began
        if holder not in (None, self._told) and waited > _SAY_AFTER_SECONDS:
            self._tell(f"Waiting for {self._what} ({holder}).")
            self._told = holder
        time.sleep(self._seconds)
        self._seconds = min(1.5 * self._seconds, _LONGEST_PAUSE_SECONDS)


@contextmanager
def _session(engine: Engine, name: str) -> Iterator[Connection]:
    """Yield a session of our own, without a transaction and without a limit on its idle time."""
    with engine.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # its locks live and die with it, so it never goes back to the pool
        connection.execute(_SET_UP, {"name": name})
        yield connection


def _take(session: Connection, lock: Lock) -> Held | None:
    taken, pid = session.execute(_TRY, lock.keys).one()
    return Held(lock, pid, session) if taken else None


_OF = (
    "locktype = 'advisory' AND classid = CAST(:kind AS bigint)::oid AND objid = CAST(:number AS bigint)::oid "
    "AND objsubid = 2 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_SET_UP = text(
    "SELECT set_config('application_name', :name, false), set_config('idle_session_timeout', '0', false)"
)
_NAME = text("SELECT set_config('application_name', :name, true)")
_TRY = text("SELECT pg_try_advisory_lock(:kind, :number), pg_backend_pid()")
_TRY_IN_TRANSACTION = text("SELECT pg_try_advisory_xact_lock(:kind, :number)")
_UNLOCK = text("SELECT pg_advisory_unlock(:kind, :number)")
_MINE = text(f"SELECT pg_backend_pid() = :pid AND EXISTS (SELECT FROM pg_locks WHERE pid = :pid AND {_OF})")
_HOLDER = text(
    "SELECT a.application_name, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ') AS since "
    f"FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE {_OF} LIMIT 1"
)
