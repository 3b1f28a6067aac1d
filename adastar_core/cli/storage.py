"""``adastar gc`` and ``adastar db``: the space that runs take, and the database.

::

    adastar gc --every 5              what could go
    adastar gc --every 5 --delete     remove it
    adastar db upgrade | status | backup FILE | stop
"""

import argparse
import os
from pathlib import Path

from adastar_core.audit.collect import Removable, TokenIds, removable, removable_tokens, remove
from adastar_core.cli.options import Commands, add_command, database, existing_home, home_of
from adastar_core.cli.output import print_json, print_line, print_table, wants_json
from adastar_core.errors import HomeError, RunConflictError
from adastar_core.postgres.server import stop_local_postgres
from adastar_core.runs.stored import open_stored
from adastar_core.store.backup import DatabaseStatus, back_up, database_status
from adastar_core.store.database import find_database
from adastar_core.store.runs import list_runs


def add(commands: Commands) -> None:
    """Add the commands' parsers."""
    gc = add_command(
        commands,
        "gc",
        "remove checkpoints that nothing needs",
        "Keep the best checkpoint of each run, the last, and every N-th; show the others, or remove with "
        "--delete their files and the token ids of the rollouts that they were trained on. Records stay, so that lineage and audit "
        "keep working.",
    )
    gc.add_argument("--run", metavar="RUN", help="this run only (default: all runs)")
    gc.add_argument("--every", type=int, metavar="N", help="keep every N-th iteration as well")
    gc.add_argument("--delete", action="store_true", help="remove them; without it nothing is touched")
    gc.set_defaults(action=_gc)

    parser = commands.add_parser("db", help="look after the database", description="Look after the database.")
    actions = parser.add_subparsers(dest="database_command", required=True, metavar="ACTION")
    upgrade = add_command(actions, "upgrade", "bring the tables up to date")
    upgrade.set_defaults(action=_upgrade)
    status = add_command(actions, "status", "show where the database is, its schema and its size")
    status.set_defaults(action=_status)
    backup = add_command(actions, "backup", "write the whole database to a file for pg_restore")
    backup.add_argument("file", metavar="FILE", type=Path, help="where to; it must not exist")
    backup.set_defaults(action=_backup)
    stop = add_command(actions, "stop", "stop the local database server; the next command starts it again")
    stop.set_defaults(action=_stop)


def _gc(options: argparse.Namespace) -> int:
    found: list[Removable] = []
    tokens: list[TokenIds] = []
    busy: list[str] = []
    with database(options) as engine:
        names = [options.run] if options.run else [run.name for run in list_runs(engine)]
        for name in names:
            stored = open_stored(engine, home_of(options), name)
            mine, ids = removable(stored, options.every), removable_tokens(stored, options.every)
            try:
                if options.delete:
                    remove(stored, mine, ids)
                found += mine
                tokens.append(ids)
            except RunConflictError:
                busy.append(name)
    if wants_json(options):
        print_json({"deleted": options.delete, "directories": found, "token_ids": tokens, "in_use": busy})
        return 0
    total = sum(one.bytes for one in found)
    print_table(
        ("run", "directory", "t", "MB"),
        [(one.run, str(one.path), str(one.iteration), f"{one.bytes / 1e6:,.1f}") for one in found],
        left=2,
    )
    verb = "freed" if options.delete else "could be freed (--delete removes them)"
    of_tokens = sum(one.bytes for one in tokens)
    print_line(
        f"{total / 1e6:,.1f} MB in {len(found)} directories and {of_tokens / 1e6:,.1f} MB of token ids {verb}."
    )
    for name in busy:
        print_line(f"Run {name} is in use and was left alone.")
    return 0


def _upgrade(options: argparse.Namespace) -> int:
    with database(options) as engine:
        _show_status(options, database_status(engine))
    return 0


def _status(options: argparse.Namespace) -> int:
    engine = find_database(None, existing_home(options))
    status = database_status(engine)
    engine.dispose()
    _show_status(options, status)
    return 0


def _show_status(options: argparse.Namespace, status: DatabaseStatus) -> None:
    if wants_json(options):
        print_json(status)
        return
    schema = status.revision or "none yet"
    if status.revision != status.wanted_revision:
        schema += f" (this version wants {status.wanted_revision}: adastar db upgrade)"
    print_line(f"{status.url}\nPostgreSQL {status.server}, schema {schema}")
    print_line(f"{status.runs or 0:,} runs, {status.bytes / 1e6:,.1f} MB")


def _backup(options: argparse.Namespace) -> int:
    output: Path = options.file
    if output.exists() or not os.access(output.absolute().parent, os.W_OK):
        raise HomeError(f"{output} exists already or cannot be written. Name another file.")
    with database(options) as engine:
        made = back_up(engine, output)
    if wants_json(options):
        print_json({"file": output.absolute(), "bytes": made.bytes, "restore_program": made.restore_program})
    else:
        print_line(
            f"{output}: {made.bytes / 1e6:,.1f} MB. Read it back, into an empty database, with {made.restore_program} "
            f"--no-owner --dbname=URL {output}"
        )
    return 0


def _stop(options: argparse.Namespace) -> int:
    stop_local_postgres(home_of(options))
    if wants_json(options):
        print_json({"stopped": home_of(options)})
    else:
        print_line(f"The local database in {home_of(options)} is stopped.")
    return 0
