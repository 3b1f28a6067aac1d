"""Refuses a connection pooler that shares sessions between connections.

A run is owned by a lock of a database session, and every session has limits set. A pooler in transaction or statement
mode (pgbouncer's ``pool_mode``) runs a connection's statements in whatever session is free: the lock keeps nobody out, and
outlives its owner. So what is relied upon is proved on the pooler itself: a connection keeps its session while others
work, and what it locked is free once it is closed.
"""

import secrets
import time
from contextlib import closing
from typing import Any

import psycopg2
from sqlalchemy import URL, Connection, NullPool, create_engine, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError

from adastar_core.errors import DatabaseError
from adastar_core.store.locks import PROBE
from adastar_core.store.urls import shown, without_secrets

_ROUNDS = 50
"""How often a busy pool gets the chance to give away the session, each time of many."""
_RELEASED_WITHIN_SECONDS = 5.0


def is_direct(connection: DBAPIConnection) -> bool:
    """Return whether a connection is the server's own: it was told the process that works for it when it logged in.

    A pooler, which has no server process for a client yet, makes a number up.
    """
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    (row,) = cursor.fetchall()
    cursor.close()
    told: int = connection.get_backend_pid()
    return bool(row[0] == told)


def require_sessions(url: URL, connect_arguments: dict[str, str | int]) -> None:
    """Prove that every connection through the pooler has a session of its own, and leave nothing behind.

    Raises:
        DatabaseError: It has not, or a session keeps its locks when its connection is closed.
    """
    engine = create_engine(
        url, poolclass=NullPool, connect_args=connect_arguments, isolation_level="AUTOCOMMIT"
    )
    problem = ""
    try:
        with engine.connect() as mine:
            with engine.connect() as other:
                _require_own_session(mine, other, url)
            with engine.connect() as brief:
                pid = brief.scalar(_LOCK, {"kind": PROBE, "number": secrets.randbelow(2**31)})
            _require_released(mine, int(str(pid)), url)
    except DBAPIError as error:
        problem = without_secrets(str(error.orig), url)
    if problem:  # raised here, so that no chained exception can show the password
        raise refusal(url, problem)


def answers_statements(url: URL, connect_arguments: dict[str, str | int]) -> bool:
    """Return whether a server that has cut a transaction off answers single statements, as in statement mode."""
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
        f"The database {shown(url)} is behind a connection pooler without sessions of one's own ({problem}), so nobody "
        "could own a run. Use the server's own address, or a pool with pool_mode = session and room for three sessions a run."
    )


def _require_own_session(mine: Connection, other: Connection, url: URL) -> None:
    """Look that nobody is given my session while I keep still, also in a transaction, which pins what it is given."""
    pid = mine.scalar(_PID)
    for _ in range(_ROUNDS):
        other.exec_driver_sql("BEGIN")
        others = other.scalar(_PID)
        if others == pid or mine.scalar(_PID) != pid:
            other.exec_driver_sql("ROLLBACK")
            raise refusal(url, "its sessions are shared")
        other.exec_driver_sql("ROLLBACK")


def _require_released(mine: Connection, pid: int, url: URL) -> None:
    """Look that the lock of a closed connection is let go of; one that is not, is given back with its session."""
    deadline = time.monotonic() + _RELEASED_WITHIN_SECONDS
    while mine.scalar(_LOCKED, {"kind": PROBE, "pid": pid}):
        if time.monotonic() > deadline:
            mine.execute(_END_IDLE, {"pid": pid})
            raise refusal(url, "a closed connection keeps its locks: server_reset_query must be DISCARD ALL")
        time.sleep(0.02)


_PID = text("SELECT pg_backend_pid()")
_LOCK = text("SELECT pg_backend_pid() FROM pg_advisory_lock(:kind, :number)")
_LOCKED = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = CAST(:kind AS bigint)::oid AND pid = :pid)"
)
_END_IDLE = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid AND state = 'idle'")
