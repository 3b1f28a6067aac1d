"""Opens the database: PostgreSQL 14 or newer, through psycopg2, its schema up to date.

Every session has limits, so that a hung process cannot block others for ever.
"""

import os
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from adastar_core.errors import DatabaseError
from adastar_core.machine.waiting import warn
from adastar_core.postgres.server import start_local_postgres
from adastar_core.store.locks import SCHEMA, acquire
from adastar_core.store.migrate import migrate
from adastar_core.store.pooler import answers_statements, is_direct, refusal, require_sessions
from adastar_core.store.urls import parse_url, shown, without_secrets

_LOCAL_DATABASE = "adastar"
_OLDEST_SERVER = 140000
_CONNECT_ARGUMENTS: dict[str, str | int] = {
    "connect_timeout": 4,
    "application_name": "adastar",
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
}
_SESSION_SETTINGS = {
    "lock_timeout": "60s",
    "statement_timeout": "10min",
    "idle_in_transaction_session_timeout": "10min",
    "client_connection_check_interval": "1s",
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}


def open_database(url: str | None, home: Path) -> Engine:
    """Return an engine on the database with its schema up to date.

    Args:
        url: A PostgreSQL URL. Default: ``ADASTAR_DATABASE_URL``, and without it the local server, which is started
            unless it runs.
        home: The data directory of the local server. Not touched when there is a URL.

    Raises:
        DatabaseError: The URL is not PostgreSQL's, nothing answers there, or the schema is another program's or of another
            version. The password is never in the message.
        HomeError: The local server's directory cannot be used.
    """
    engine = find_database(url, home)
    try:
        migrate(engine)
    except DatabaseError:
        engine.dispose()
        raise
    return engine


def find_database(url: str | None, home: Path) -> Engine:
    """Return an engine on the same database as :func:`open_database`, its schema unchanged."""
    url = url or os.environ.get("ADASTAR_DATABASE_URL")
    return connect(parse_url(url) if url else _local_database(home))


def connect(url: URL) -> Engine:
    """Return an engine on a database that answers.

    Raises:
        DatabaseError: It does not answer within about ten seconds, is behind a pooler that shares sessions, or is too old.
    """
    engine = create_engine(url, pool_pre_ping=True, connect_args=_CONNECT_ARGUMENTS)
    event.listen(engine, "connect", _Preparing(url))
    problem = ""
    try:
        with engine.connect() as connection:
            version = int(str(connection.scalar(text("SHOW server_version_num"))))
    except OperationalError as error:
        problem = without_secrets(str(error.orig), url)
    except UnicodeError:
        problem = "the host name is not valid"
    if "closed the connection" in problem and answers_statements(url, _CONNECT_ARGUMENTS):
        engine.dispose()
        raise refusal(url, "it refuses transactions")
    if problem:  # raised here, so that no chained exception can show the password
        engine.dispose()
        raise DatabaseError(
            f"The database {shown(url)} does not answer: {problem}. Check that the server runs and that host, port, "
            "user, password and database are right, or leave database_url out to use a local one."
        )
    if version < _OLDEST_SERVER:
        raise DatabaseError(
            f"The database {shown(url)} runs PostgreSQL {version // 10000}; {_OLDEST_SERVER // 10000} or newer is needed."
        )
    return engine


def _local_database(home: Path) -> URL:
    """Return the URL of the local server's database, created unless it exists."""
    server = make_url(start_local_postgres(home))
    engine = connect(server)
    alone = acquire(engine, SCHEMA, "adastar", warn)  # else two processes may create it at once
    with alone, engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        query = text("SELECT 1 FROM pg_database WHERE datname = :name")
        if connection.scalar(query, {"name": _LOCAL_DATABASE}) is None:
            connection.execute(text(f"CREATE DATABASE {_LOCAL_DATABASE}"))
    engine.dispose()
    return server.set(database=_LOCAL_DATABASE)


class _Preparing:
    """Checks that every new connection has its own session, and sets the limits of the session."""

    def __init__(self, url: URL) -> None:
        self._url, self._proved = url, False

    def __call__(self, connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        if not self._proved and not is_direct(connection):
            connection.rollback()  # gives its session back, so that the check needs no more of the pool than a run
            require_sessions(self._url, _CONNECT_ARGUMENTS)
            self._proved = True
        cursor = connection.cursor()
        cursor.execute("; ".join(f"SET {name} = '{value}'" for name, value in _SESSION_SETTINGS.items()))
        cursor.close()
        connection.commit()
