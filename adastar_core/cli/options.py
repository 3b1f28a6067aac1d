"""What the commands share: options, and the database that they read."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from adastar_core.cli.app import Flag
from adastar_core.errors import DatabaseError, StageError
from adastar_core.machine.home import default_home
from adastar_core.machine.paths import path_of
from adastar_core.postgres.layout import ServerFiles
from adastar_core.runs.stored import StoredRun, open_stored
from adastar_core.store.database import open_database

RunName = Annotated[str, Parameter(help="Name of the run.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """The options of every command that reads a database."""

    json: Annotated[bool, Flag, Parameter(help="Print one JSON document instead of text.")] = False
    home: Annotated[
        Path | None,
        Parameter(
            metavar="DIRECTORY",
            help="The data directory (default: ADASTAR_HOME, else the user's own). The database is the one in ADASTAR_DATABASE_URL, "
            "or else the local one in this directory.",
        ),
    ] = None

    def directory(self) -> Path:
        return path_of(self.home, "--home").absolute() if self.home else default_home()

    def existing_directory(self) -> Path:
        """Return the data directory, with which there must be a database.

        Raises:
            DatabaseError: There is none yet.
        """
        home = self.directory()
        if not os.environ.get("ADASTAR_DATABASE_URL") and not ServerFiles.at(home).data.exists():
            raise DatabaseError(
                f"There is no database in {home} yet: no run was made with this data directory. Name the right one with "
                "--home DIRECTORY, set ADASTAR_DATABASE_URL, or make a run first (python flows/adastar.py)."
            )
        return home

    @contextmanager
    def database(self) -> Iterator[Engine]:
        """Yield the database, its schema upgraded; a local server is started if need be.

        Raises:
            DatabaseError: There is none yet, or it does not answer.
            StageError: It failed while it was read.
        """
        engine = open_database(None, self.existing_directory())
        try:
            yield engine
        except DBAPIError as error:
            raise StageError(f"The database failed ({error.orig}). Run the same command again.") from error
        finally:
            engine.dispose()

    @contextmanager
    def stored_run(self, name: str) -> Iterator[StoredRun]:
        with self.database() as engine:
            yield open_stored(engine, self.directory(), name)
