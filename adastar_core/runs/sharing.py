"""What the machines that work on a run share besides the database: its checkpoints, checked when the run opens."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from adastar_core.config import RunConfig
from adastar_core.errors import AdaStarError, ConfigError, DataError, HomeError, ModelError
from adastar_core.machine.home import default_home
from adastar_core.models import checkpoints
from adastar_core.models.filestore import VARIABLE, FileStore, file_store
from adastar_core.runs.stored import StoredRun
from adastar_core.runs.workspace import Workspace
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoints
from adastar_core.store.database import find_database
from adastar_core.store.runs import find_run


def usable_file_store(home: Path) -> FileStore | None:
    """Return the file store after writing to it; ``None`` where none is set.

    Raises:
        ConfigError: It is no store, or is in the data directory.
        FileStoreError: It cannot be written.
    """
    store = file_store()
    if store is None:
        return None
    if Path(store.address).is_relative_to(home):  # never true of a URL
        raise ConfigError(
            f"{VARIABLE} = {store.address} is in the data directory {home}, which is the store's cache. Name a folder or a bucket "
            f"outside of it, or leave {VARIABLE} out to keep files in the data directory alone."
        )
    store.check()
    return store


@contextmanager
def files_of_other_machines(config: RunConfig, name: str) -> Iterator[None]:
    """Say of data or a model that this machine lacks which machine has it, where the run was at work on another one."""
    try:
        yield
    except (DataError, ModelError) as error:
        if (elsewhere := _other_machine(config, name)) is None:
            raise
        raise type(error)(
            f"{str(error).rstrip('.')}. Run {name!r} was last at work on {elsewhere}: every machine that works on it needs the same "
            "data and the same model under the same names."
        ) from error


def _other_machine(config: RunConfig, name: str) -> str | None:
    """Return the last host of the run, if it is not this one; ``None`` also where no database is shared, or none answers."""
    url = config.database_url.get_secret_value() if config.database_url else None
    if not (url or os.environ.get("ADASTAR_DATABASE_URL")):
        return None
    with suppress(AdaStarError, DBAPIError):
        engine = find_database(url, default_home())
        run = find_run(engine, name)
        engine.dispose()
        host = (run.owner or "").rpartition(" on ")[2] if run else ""
        return host if host not in ("", socket.gethostname()) else None
    return None


def check_shared(stored: StoredRun) -> None:
    """Require that this machine finds what the run continues from, and that others will find what it adds.

    Raises:
        HomeError: The run has a file store and this machine names none, or the newest checkpoint is neither here nor in the store.
    """
    stored.require_store()  # else other machines would not find what this one trains
    run, store = stored.run, stored.file_store
    newest = stored.read(read_checkpoints, stored.folder)[-1:]
    if not newest or newest[0].iteration == 0 or Path(newest[0].path).is_dir():
        return
    if store is not None and store.holds(stored.key_of(newest[0])):
        return
    missing = f"Run {run.name!r} has a checkpoint of iteration {newest[0].iteration}, and {newest[0].path} is missing"
    if store is None:
        raise HomeError(
            f"{missing}. Name the data directory that the run was made with (--set home=DIRECTORY or ADASTAR_HOME), or restore "
            f"it: every machine that works on a run needs its files, or all of them the same {VARIABLE}."
        )
    if run.file_store and run.file_store != store.address:
        advice = f"The run's store is {run.file_store}: set {VARIABLE} to it"
    elif run.file_store:
        advice = f"{run.owner} works with the same store: restore what is missing in it"
    else:
        advice = f"It was trained without a file store by {run.owner}: start the run there once with this {VARIABLE}, which uploads it"
    raise HomeError(f"{missing}, here and in {store.address}. {advice}.")


def remarks(stored: StoredRun, *, new: bool) -> Iterator[str]:
    """Yield what is not shared with other machines although there is a file store for them.

    ``new`` says that the database did not know the run before.
    """
    if (store := stored.file_store) is None:
        return
    if not (stored.config.database_url or os.environ.get("ADASTAR_DATABASE_URL")):
        yield (
            f"Files go to {store.address}, but the database is in this machine's data directory: set ADASTAR_DATABASE_URL on "
            "every machine that is to work on the run."
        )
    named = stored.folder.name.rpartition("-")[0]
    others = [name for name in store.folders("runs") if name.rpartition("-")[0] == named]
    if new and set(others) - {stored.folder.name}:
        yield (
            f"{store.address} has a run of this name that this database does not know ({others[0]}): to continue that one, set "
            "ADASTAR_DATABASE_URL to its database."
        )


def share_earlier(workspace: Workspace) -> None:
    """Upload the checkpoints that are here alone, as after the run's first iterations without a file store."""
    if workspace.file_store is None:
        return
    there = workspace.file_store.sizes(workspace.store_key)
    rows = [row for row in workspace.read(read_checkpoints, workspace.folder) if row.iteration]
    for row in rows:
        if _is_here_alone(workspace, row, set(there)):
            checkpoints.verify(Path(row.path), row.sha256)
            workspace.share(row)


def _is_here_alone(workspace: Workspace, row: CheckpointRow, there: set[str]) -> bool:
    own = workspace.key_of(row).removeprefix(f"{workspace.store_key}/")
    known = {f"{own}/{name}" for name in (checkpoints.MANIFEST, checkpoints.REMOVED)}
    return checkpoints.is_complete(Path(row.path)) and there.isdisjoint(known)
