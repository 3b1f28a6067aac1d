"""One query by the user, which can read and nothing else.

The server opens the query as a cursor, inside a transaction that is read-only before the query is parsed. So there is no
list of forbidden words to keep: a cursor takes one statement and only one that returns rows, and PostgreSQL makes no
transaction writable again once a query has run in it, by whatever name the setting is called. On the local server the
session belongs to a user who may only read, since the server's own user could call functions that write files.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg2.errorcodes import INVALID_CURSOR_DEFINITION, QUERY_CANCELED, UNDEFINED_COLUMN, UNDEFINED_TABLE
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from adastar_core.errors import DatabaseError
from adastar_core.postgres.layout import ROLE
from adastar_core.store.database import connect

READER = "adastar_reader"
"""The user of the local server who may read every table, and may do nothing else."""
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query as they come, and the names of its columns, which may occur twice."""

    columns: tuple[str, ...]
    rows: Iterator[Sequence[object]]


@contextmanager
def answer(engine: Engine, query: str, *, seconds: float) -> Iterator[Answer]:
    """Yield what a query returns; few rows are in memory at once.

    Args:
        query: One statement that returns rows: SELECT, WITH, VALUES, TABLE, EXPLAIN or SHOW.
        seconds: Longest time for the first rows, and again for every thousand after them.

    Raises:
        DatabaseError: It is no such statement, writes, is wrong, or takes too long.
    """
    reader = _reader(engine)
    limit = {"limit": f"{round(seconds * 1000)}ms"}
    try:
        with reader.connect() as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(_GIVEN, {"query": query})
            connection.execute(_LIMIT, limit)
            connection.execute(_OPEN)
            first = connection.execute(_FETCH)
            yield Answer(tuple(first.keys()), _rows(connection, first.all(), limit))
    except DBAPIError as error:
        raise DatabaseError(_complaint(error, seconds)) from error
    finally:
        reader.dispose()  # with the session goes what the query set in it


def _rows(
    connection: Connection, page: Sequence[Sequence[object]], limit: dict[str, str]
) -> Iterator[Sequence[object]]:
    while page:
        yield from page
        connection.execute(_LIMIT, limit)  # again, in case the query has changed it
        page = connection.execute(_FETCH).all()


def _reader(engine: Engine) -> Engine:
    """Return an engine on the same database as :data:`READER` where it is the local server's, else as the same user."""
    url = engine.url
    if url.username != ROLE or not str(url.query.get("host", "")).startswith("/"):
        return connect(url)
    with engine.begin() as connection:
        ours = connection.scalar(_IS_SUPERUSER)
        if ours:
            connection.execute(_CREATE_READER, {"password": url.password})
    return connect(url.set(username=READER) if ours else url)


def _complaint(error: DBAPIError, seconds: float) -> str:
    code, given = getattr(error.orig, "pgcode", None), getattr(error.orig, "diag", None)
    if code == QUERY_CANCELED:
        return f"The query took longer than {seconds:g} s and was stopped. Narrow it, e.g. to one run."
    if code == INVALID_CURSOR_DEFINITION:  # said of several statements, and of one that returns no rows
        return "adastar sql takes one statement that returns rows, such as SELECT. Nothing was done."
    said = (given and given.message_primary) or str(error.orig)
    hint = f" {given.message_hint}" if given and given.message_hint else ""
    page = " docs/schema.md describes every table." if code in (UNDEFINED_TABLE, UNDEFINED_COLUMN) else ""
    return f"The query failed: {said.rstrip('.')}.{hint}{page}"


_GIVEN = text("SELECT set_config('adastar.query', :query, true)")
_LIMIT = text("SELECT set_config('statement_timeout', :limit, true), set_config('lock_timeout', '5s', true)")
_OPEN = text(
    "DO $$ DECLARE answer refcursor := 'adastar_answer'; "
    "BEGIN OPEN answer NO SCROLL FOR EXECUTE current_setting('adastar.query'); END $$"
)
_FETCH = text(f"FETCH {_ROWS_AT_ONCE} FROM adastar_answer")
_IS_SUPERUSER = text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
_CREATE_READER = text(
    f"DO $$ BEGIN CREATE ROLE {READER} LOGIN PASSWORD :password IN ROLE pg_read_all_data, pg_monitor; "
    "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
)
