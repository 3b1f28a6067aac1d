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
UNRELEASED = {f"{number:04}" for number in (*range(1, 9), *range(10, 16), 20)}
"""Revisions of the chain that became 0009, the first schema; no migration leads from them any more."""
# A migration may take as long as it needs. But while it waits for a lock on a table, every later query of that table
# waits behind it: it gives up after two seconds and tries again.
_LIMITS = text(
    "SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true), "
    "set_config('lock_timeout', '2s', true)"
)


def migrate(engine: Engine) -> None:
    """Bring the schema up to date. Any number of processes may call this at once.

    Raises:
        DatabaseError: The schema is older than the first one or newer than this code, a table of the same name is
            another program's, or the user may not create tables.
    """
    waiting = Waiting("others to end their use of the tables", warn)
    while True:
        with engine.connect() as connection:
            if stored_revision(connection) == SCHEMA_REVISION:
                return
        try:
            with acquire_in_transaction(engine, SCHEMA, "adastar", warn) as connection:
                _upgrade(connection, engine.url)
                return
        except DBAPIError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise DatabaseError(
                    f"The tables of {shown(engine.url)} cannot be brought up to date: "
                    f"{without_secrets(str(error.orig), engine.url)}. The user in the URL must be allowed to create "
                    "tables there; or choose another database."
                ) from error
        waiting.pause("a backup, or a run that writes")


def _upgrade(connection: Connection, url: URL) -> None:
    """Upgrade in the transaction that holds the lock on the schema. After a wait there may be nothing left to do."""
    from alembic import command
    from alembic.script import ScriptDirectory

    connection.execute(_LIMITS)
    config, revision = migrations(), stored_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is None:
        taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
        if taken:
            raise DatabaseError(
                f"The database {shown(url)} already has tables of another program: {', '.join(taken)}. Give adastar a "
                "database of its own (createdb adastar) and name it in the URL."
            )
    elif revision in UNRELEASED:
        raise DatabaseError(
            f"The database {shown(url)} holds schema {revision}, which is older than 0009, the first that this version "
            "can upgrade. Run adastar db upgrade with an earlier checkout that still leads to 0009, or choose another "
            "database."
        )
    elif revision not in known:
        raise DatabaseError(
            f"The database {shown(url)} holds schema {revision}, which is newer than {SCHEMA_REVISION}, the one this "
            "version of adastar knows. Upgrade adastar, or choose another database."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def migrations() -> "Config":
    """Return Alembic's configuration with the migrations of this package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "adastar_core.store:migrations")
    return config


def stored_revision(connection: Connection) -> str | None:
    """Return the schema's revision; ``None`` for a database without our tables."""
    # A scan of the catalogue: to_regclass may answer from a cache filled before we waited for the lock.
    tables = text("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = :name")
    if connection.scalar(tables, {"name": VERSION_TABLE}) is None:
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return revision


def is_ours(name: str | None, type_: str, _parents: object = None) -> bool:
    """Return whether migrations manage a table found in the database: they do not manage partitions."""
    return type_ != "table" or name in metadata.tables
