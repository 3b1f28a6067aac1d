"""What the commands share: options, and the database that they read."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Engine

from adastar_core.errors import DatabaseError
from adastar_core.machine.home import default_home
from adastar_core.machine.paths import path_of
from adastar_core.postgres.layout import Cluster
from adastar_core.runs.stored import StoredRun, open_stored
from adastar_core.store.database import open_database

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_command(commands: Commands, name: str, help_: str, description: str = "") -> argparse.ArgumentParser:
    """Add a command with the options that all have: ``--json`` and ``--home``."""
    command = commands.add_parser(name, help=help_, description=description or f"{help_.capitalize()}.")
    command.add_argument("--json", action="store_true", help="print one JSON document instead of text")
    command.add_argument(
        "--home",
        metavar="DIRECTORY",
        type=Path,
        help="the data directory (default: ADASTAR_HOME, or the user's). The database is the one in ADASTAR_DATABASE_URL, "
        "or else the local one in this directory",
    )
    return command


def home_of(options: argparse.Namespace) -> Path:
    """Return the data directory that the options name."""
    given: Path | None = options.home
    return path_of(given, "--home").absolute() if given else default_home()


def existing_home(options: argparse.Namespace) -> Path:
    """Return the data directory that the options name, with which there must be a database.

    Raises:
        DatabaseError: There is none yet.
    """
    home = home_of(options)
    if not os.environ.get("ADASTAR_DATABASE_URL") and not Cluster.at(home).data.exists():
        raise DatabaseError(
            f"There is no database in {home} yet: no run was made with this data directory. Name the right one with "
            "--home DIRECTORY, set ADASTAR_DATABASE_URL, or make a run first (python flows/adastar.py)."
        )
    return home


@contextmanager
def database(options: argparse.Namespace) -> Iterator[Engine]:
    """Yield the database, its schema brought up to date; a local one is started if need be.

    Raises:
        DatabaseError: There is none yet, or it does not answer.
    """
    home = existing_home(options)
    engine = open_database(None, home)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def stored_run(options: argparse.Namespace) -> Iterator[StoredRun]:
    """Yield the run that the options name."""
    with database(options) as engine:
        yield open_stored(engine, home_of(options), options.run)
