"""Refuses a connection pooler that shares sessions between connections.

A run is owned by a lock of a database session. A pooler in transaction or statement mode (pgbouncer's ``pool_mode``) runs a
connection's statements in any free session: the lock keeps nobody out, and outlives its owner. So two things are tested
on the pooler itself: a connection keeps its session while others work, and its locks are free once it is closed.
"""

import secrets
import time
from contextlib import closing
from typing import Any

import psycopg2
from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from adastar_core.errors import DatabaseError
from adastar_core.store.locks import PROBE
from adastar_core.store.urls import shown, without_secrets

_ROUNDS = 50
"""How often a busy pool gets the chance to give the session to another connection."""
_RELEASED_WITHIN_SECONDS = 5.0


def is_direct(connection: DBAPIConnection) -> bool:
    """Return whether a connection leads to the server itself: the process id given at login is that of its session.

    A pooler has no server process for a client yet at that time, and makes a number up.
    """
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (row,) = cursor.fetchall()
    cursor.close()
    return bool(row[0] == connection.get_backend_pid())


def require_sessions(url: URL, connect_arguments: dict[str, str | int]) -> None:
    """Check that every connection through the pooler has its own session, and leave nothing behind.

    Raises:
        DatabaseError: It has not, or a session keeps its locks when its connection is closed.
    """
    engine = create_engine(
        url, poolclass=NullPool, connect_args=connect_arguments, isolation_level="AUTOCOMMIT"
    )
    problem = ""
    try:
        with engine.connect() as mine:
            pid = mine.scalar(_PID)
            with engine.connect() as other:
                for _ in range(_ROUNDS):
                    # In a transaction, which pins the session that the pooler hands out.
                    other.exec_driver_sql("BEGIN")
                    shared = other.scalar(_PID) == pid or mine.scalar(_PID) != pid
                    other.exec_driver_sql("ROLLBACK")
                    if shared:
                        raise refusal(url, "its sessions are shared")
            with engine.connect() as brief:
                locker = brief.scalar(_LOCK, {"kind": PROBE, "number": secrets.randbelow(2**31)})
            deadline = time.monotonic() + _RELEASED_WITHIN_SECONDS
            while mine.scalar(_LOCKED, {"kind": PROBE, "pid": locker}):
                if time.monotonic() > deadline:
                    mine.execute(_END_IDLE, {"pid": locker})  # ends the session, and with it the lock
                    raise refusal(
                        url, "a closed connection keeps its locks: server_reset_query must be DISCARD ALL"
                    )
                time.sleep(0.02)
    except DBAPIError as error:
        problem = without_secrets(str(error.orig), url)
    if problem:  # raised here, so that no chained exception can show the password
        raise refusal(url, problem)


def answers_statements(url: URL, connect_arguments: dict[str, str | int]) -> bool:
    """Return whether a server that refused a transaction answers single statements, as in statement mode."""
    address: dict[str, Any] = {**url.get_dialect()().create_connect_args(url)[1], **connect_arguments}
    try:
        with closing(psycopg2.connect(**address)) as connection:
            connection.autocommit = True
            connection.cursor().execute("SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True


def refusal(url: URL, problem: str) -> DatabaseError:
    """Return the error for a pooler that nobody can own a run through."""
    return DatabaseError(
        f"The database {shown(url)} is behind a connection pooler that shares sessions ({problem}), so no process "
        "could own a run. Use the server's own address, or a pool with pool_mode = session and room for three sessions a run."
    )


_PID = text("SELECT pg_backend_pid()")
_LOCK = text("SELECT pg_backend_pid() FROM pg_advisory_lock(:kind, :number)")
_LOCKED = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = CAST(:kind AS bigint)::oid AND pid = :pid)"
)
_END_IDLE = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = :pid AND state = 'idle'"
)
