"""``adastar gc``, ``drop`` and ``db``: the space that runs take, and the database.

::

    adastar gc --every 5              list what could be removed
    adastar gc --every 5 --delete     remove it
    adastar drop my-run               what of a run would be removed; --delete removes it
    adastar db upgrade | status | backup FILE | stop
"""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from adastar_core.audit.collect import Removable, TokenIds, orphans, removable, removable_tokens, remove
from adastar_core.audit.drop import drop as drop_it
from adastar_core.audit.drop import droppable
from adastar_core.cli.app import Flag
from adastar_core.cli.options import Common, RunName
from adastar_core.cli.output import print_json, print_line, print_table
from adastar_core.errors import HomeError, RunConflictError
from adastar_core.postgres.server import stop_local_postgres
from adastar_core.runs.stored import open_stored
from adastar_core.store.backup import DatabaseStatus, back_up, database_status
from adastar_core.store.database import find_database
from adastar_core.store.runs import list_runs


def gc(
    *,
    run: str | None = None,
    every: Annotated[int | None, Parameter(metavar="N")] = None,
    delete: Annotated[bool, Flag] = False,
    common: Common = Common(),
) -> int:
    """List or remove checkpoints and token ids.

    Args:
        run: This run only (default: all runs).
        every: Keep every N-th iteration as well.
        delete: Remove them. By default nothing is changed.
    """
    found: list[Removable] = []
    tokens: list[TokenIds] = []
    busy: list[str] = []
    with common.database() as engine:
        for name in [run] if run else [stored.name for stored in list_runs(engine)]:
            stored = open_stored(engine, common.directory(), name)
            directories, ids = removable(stored, every), removable_tokens(stored, every)
            try:
                if delete:
                    remove(stored, directories, ids)
                found += directories
                tokens.append(ids)
            except RunConflictError:
                busy.append(name)
        left_over = [] if run else orphans(engine, common.directory())
    if common.json:
        values = {"deleted": delete, "directories": found, "token_ids": tokens, "in_use": busy}
        return print_json(values | {"orphans": left_over})
    rows = [(item.run, str(item.path), str(item.iteration), f"{item.bytes / 1e6:,.1f}") for item in found]
    print_table(("run", "directory", "t", "MB"), rows, left=2)
    verb = "freed" if delete else "could be freed (--delete removes them)"
    of_files, of_tokens = (sum(item.bytes for item in items) / 1e6 for items in (found, tokens))
    print_line(f"{of_files:,.1f} MB in {len(found)} directories and {of_tokens:,.1f} MB of token ids {verb}.")
    for name in busy:
        print_line(f"Run {name} is in use and was skipped.")
    if left_over:
        print_line(
            "\nThe database knows nothing of these directories. If no other database uses this place, and no run "
            "is to be resumed that ended just before its checkpoint was recorded, remove them by hand:"
        )
        of_orphans = [(item.run or "none", str(item.path), f"{item.bytes / 1e6:,.1f}") for item in left_over]
        print_table(("run", "directory", "MB"), of_orphans, left=2)
    return 0


def drop(run: RunName, /, *, delete: Annotated[bool, Flag] = False, common: Common = Common()) -> int:
    """List or remove everything of a run.

    Args:
        delete: Remove it. By default nothing is changed.
    """
    with common.stored_run(run) as stored:
        found = drop_it(stored) if delete else droppable(stored)
    if common.json:
        return print_json({"deleted": delete, **asdict(found)})
    print_line(f"rows       {found.row_bytes / 1e6:,.1f} MB in the database")
    print_line(
        f"directory  {found.directory or 'none in this data directory'}, {found.file_bytes / 1e6:,.1f} MB"
    )
    if found.in_store:
        print_line(f"file store {found.in_store}, {found.store_bytes / 1e6:,.1f} MB")
    some = "1 checkpoint" if found.checkpoints == 1 else f"{found.checkpoints} checkpoints"
    counted = f"Run {found.run} with {some}"
    print_line(f"{counted} is removed." if delete else f"{counted} would be removed: --delete does it.")
    print_line("The questions stay in the database, since runs on the same data share them.")
    return 0


def upgrade(*, common: Common = Common()) -> int:
    with common.database() as engine:
        return _show_status(database_status(engine), common)


def status(*, common: Common = Common()) -> int:
    engine = find_database(None, common.existing_directory())
    found = database_status(engine)
    engine.dispose()
    return _show_status(found, common)


def _show_status(status: DatabaseStatus, common: Common) -> int:
    if common.json:
        return print_json(status)
    schema = status.revision or "none yet"
    if status.revision != status.wanted_revision:
        schema += f" (this version needs {status.wanted_revision}: adastar db upgrade)"
    print_line(f"{status.url}\nPostgreSQL {status.server}, schema {schema}")
    print_line(f"{status.runs or 0:,} runs, {status.bytes / 1e6:,.1f} MB")
    return 0


def backup(file: Path, /, *, common: Common = Common()) -> int:
    """Write a backup.

    Args:
        file: The file to write; it must not exist.
    """
    if file.exists() or not os.access(file.absolute().parent, os.W_OK):
        raise HomeError(f"{file} exists already or cannot be written. Give another file.")
    with common.database() as engine:
        made = back_up(engine, file)
    program = made.restore_program
    if common.json:
        return print_json({"file": file.absolute(), "bytes": made.bytes, "restore_program": program})
    restore = f"Restore it into an empty database with {program} --no-owner --dbname=URL {file}"
    print_line(f"{file}: {made.bytes / 1e6:,.1f} MB. {restore}")
    return 0


def stop(*, common: Common = Common()) -> int:
    home = common.directory()
    stop_local_postgres(home)
    if common.json:
        return print_json({"stopped": home})
    print_line(f"The local database in {home} is stopped.")
    return 0
