"""Removes a run: its rows, then its directory, then what it has in the file store. What another run uses stays."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import HomeError, RunConflictError
from adastar_core.machine.files import size_of
from adastar_core.runs.stored import StoredRun
from adastar_core.store.checkpoints import read_checkpoints
from adastar_core.store.locks import find_owner, owned_by
from adastar_core.store.partitions import size_of_partitions
from adastar_core.store.runs import drop_run


@dataclass(frozen=True, slots=True)
class Droppable:
    """What dropping a run removes; ``directory`` is ``None`` where this data directory has none of it.

    ``in_store`` is the address of its files in the file store, ``None`` where there are none.
    """

    run: str
    checkpoints: int
    row_bytes: int
    directory: Path | None
    file_bytes: int
    in_store: str | None
    store_bytes: int


def droppable(stored: StoredRun) -> Droppable:
    """Return what dropping the run would remove.

    Raises:
        RunConflictError: A process owns it, or another run started from one of its checkpoints.
        HomeError: It has a file store, and this machine names none: its files there would be left over.
    """
    stored.require_store()
    with stored.engine.connect() as connection:
        owner = find_owner(connection, stored.run_id)
    if owner is not None:
        raise owned_by(owner, stored.run.name)
    folder = stored.folder
    for name, base in stored.starts():
        raise RunConflictError(
            f"Run {name!r} started from {base}, which is a checkpoint of run {stored.run.name!r}. Drop run {name!r} first."
        )
    checkpoints = sum(row.iteration > 0 for row in stored.read(read_checkpoints, folder))
    here = folder if folder.is_dir() else None
    rows = stored.read(size_of_partitions)
    store, key = stored.file_store, stored.store_key
    kept = sum(store.sizes(key).values()) if store else 0
    address = f"{store.address}/{key}" if store and kept else None
    return Droppable(stored.run.name, checkpoints, rows, here, size_of(folder) if here else 0, address, kept)


def drop(stored: StoredRun) -> Droppable:
    """Remove the run; return what was removed. Its rows go first: a directory that is left over is found by ``gc``.

    Raises:
        RunConflictError: As in :func:`droppable`.
        HomeError: The directory cannot be removed, or is a link.
        FileStoreError: The file store does not remove the run's files.
    """
    found = droppable(stored)
    drop_run(stored.engine, stored.run.name)
    if found.directory is not None:
        try:
            shutil.rmtree(found.directory)
        except OSError as error:
            raise HomeError(
                f"The rows of run {found.run!r} are removed, but {found.directory} is not: {error}. Remove it by hand."
            ) from error
    if stored.file_store is not None:
        stored.file_store.remove_all(stored.store_key)
    return found
