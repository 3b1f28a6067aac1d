"""Brings a database's tables up to date. Alembic is imported only when there is something to do."""

from typing import TYPE_CHECKING

from psycopg2.errors import LockNotAvailable
from sqlalchemy import URL, Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from adastar_core.errors import DatabaseError
from adastar_core.machine.waiting import Waiting, warn
from adastar_core.store.locks import SCHEMA, acquire_in_transaction
from adastar_core.store.tables import SCHEMA_REVISION, metadata
from adastar_core.store.urls import shown, without_secrets

if TYPE_CHECKING:
    from alembic.config import Config

VERSION_TABLE = "adastar_schema_version"
# Statements take as long as they take; but while one waits for a lock on a table, everybody else waits behind it.
_LIMITS = text(
    "SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true), "
    "set_config('lock_timeout', '2s', true)"
)


def migrate(engine: Engine) -> None:
    """Bring the schema up to date. Any number of processes may do so at once; a migration takes as long as it takes.

    Raises:
        DatabaseError: The schema is newer than this code, or a table of the same name is another program's.
    """
    waiting = Waiting("others to end their use of the tables", warn)
    while True:
        try:
            return _migrate(engine)
        except DBAPIError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise _refused(error, engine.url) from error
        waiting.pause("a backup, or a run that writes")


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        if stored_revision(connection) == SCHEMA_REVISION:
            return
    with acquire_in_transaction(engine, SCHEMA, "adastar", warn) as connection:
        _migrate_alone(connection, engine.url)


def _refused(error: DBAPIError, url: URL) -> DatabaseError:
    problem = without_secrets(str(error.orig), url)
    return DatabaseError(
        f"The tables of {shown(url)} cannot be brought up to date: {problem}. The user in the URL must be allowed to "
        "create tables there; or choose another database."
    )


def _migrate_alone(connection: Connection, url: URL) -> None:
    """Upgrade while no other process does; one that waited for its turn finds nothing left to do."""
    connection.execute(_LIMITS)
    revision = stored_revision(connection)
    if revision is None:
        _require_free_names(connection, url)
    _upgrade(connection, revision, url)


def migrations() -> "Config":
    """Return Alembic's configuration."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "adastar_core.store:migrations")
    return config


def _upgrade(connection: Connection, revision: str | None, url: URL) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = migrations()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"The database {shown(url)} holds schema {revision}, which is newer than {SCHEMA_REVISION}, the one this "
            "version of adastar knows. Upgrade adastar, or choose another database."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def stored_revision(connection: Connection) -> str | None:
    """Return the schema's revision; ``None`` for a database without our tables."""
    # A scan of the catalogue: to_regclass may answer from a cache filled before we waited for the lock.
    tables = text("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = :name")
    if connection.scalar(tables, {"name": VERSION_TABLE}) is None:
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return revision


def _require_free_names(connection: Connection, url: URL) -> None:
    taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise DatabaseError(
            f"The database {shown(url)} already has tables of another program: {', '.join(taken)}. Give adastar a "
            "database of its own (createdb adastar) and name it in the URL."
        )


def is_ours(name: str | None, type_: str, _parents: object = None) -> bool:
    """Return whether a table found in the database is one that migrations look after: partitions are not."""
    return type_ != "table" or name in metadata.tables
