"""Removes checkpoints that nothing needs: all but the best, the last, every n-th of a run, and those that other runs started from.

The files of such a checkpoint go, here and in the file store, and the token ids of the rollouts that it was trained on, which only training it again
would need. All rows and texts stay, so lineage and verification still work. A marker in the emptied place tells
``verify`` that the files were removed on purpose.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from adastar_core.errors import HomeError
from adastar_core.machine.files import size_of
from adastar_core.models.checkpoints import REMOVED
from adastar_core.models.filestore import by_folder, file_store
from adastar_core.runs.stored import StoredRun, folder_of, open_stored
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoints
from adastar_core.store.locks import find_owner, hold_run
from adastar_core.store.overview import find_overview
from adastar_core.store.rollouts import remove_tokens, size_of_tokens
from adastar_core.store.runs import list_runs


@dataclass(frozen=True, slots=True)
class Removable:
    """What to remove: a checkpoint's directory, or the work files of a finished training (no digest).

    What lies in the file store has a ``key`` there, and its address as ``path``.
    """

    run: str
    iteration: int
    path: Path | str
    bytes: int
    sha256: str | None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class TokenIds:
    """The token ids of these iterations' rollouts, to remove."""

    run: str
    iterations: tuple[int, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Orphan:
    """A directory that no row names: of a run that the database does not know, or a checkpoint's in a run's directory.

    That of the file store has its address as ``path``.
    """

    run: str | None
    path: Path | str
    bytes: int


def removable(stored: StoredRun, every: int | None) -> list[Removable]:
    """Return the directories that the run does not need.

    The base model, the best and the last iteration are kept, what other runs started from, and the multiples of ``every`` if
    it is given.

    Raises:
        HomeError: The run has a file store, and this machine names none: its checkpoints there would stay.
    """
    stored.require_store()
    trained, unneeded = _checkpoints(stored, every)
    found = [
        Removable(stored.run.name, row.iteration, Path(row.path), row.bytes, row.sha256)
        for row in unneeded
        if Path(row.path).is_dir() and not was_removed(Path(row.path), row.sha256)
    ]
    for iteration in sorted({row.iteration for row in trained}):
        folder = stored.folder / "work" / f"finetune-{iteration:04d}"
        if folder.is_dir():
            found.append(Removable(stored.run.name, iteration, folder, size_of(folder), None))
    return [*found, *_removable_in_store(stored, unneeded)]


def _removable_in_store(stored: StoredRun, unneeded: list[CheckpointRow]) -> list[Removable]:
    if (store := stored.file_store) is None or not unneeded:
        return []
    found, there = [], by_folder(store.sizes(f"{stored.store_key}/checkpoints"))
    for row in unneeded:
        key = stored.key_of(row)
        sizes = there.get(key.rpartition("/")[2], {})
        if sizes.keys() - {REMOVED}:
            place = f"{store.address}/{key}"
            removed = Removable(stored.run.name, row.iteration, place, sum(sizes.values()), row.sha256, key)
            found.append(removed)
    return found


def removable_tokens(stored: StoredRun, every: int | None) -> TokenIds:
    """Return the token ids of those iterations whose checkpoint the run does not need; arguments as in :func:`removable`."""
    iterations = tuple(sorted(row.iteration for row in _checkpoints(stored, every)[1]))
    return TokenIds(stored.run.name, iterations, stored.read(size_of_tokens, iterations))


def orphans(engine: Engine, home: Path) -> list[Orphan]:
    """Return the directories in a data directory that no row of the database names.

    They may belong to another database that shares the data directory, so nothing here removes them. A checkpoint that
    was published just before its run ended is among them until the run resumes, which finds it.
    """
    known = {folder_of(home, run.name, run.uid): run for run in list_runs(engine)}
    found = []
    for folder in sorted((home / "runs").glob("*/")):
        if folder not in known:
            found.append(Orphan(None, folder, size_of(folder)))
            continue
        with engine.connect() as connection:
            rows = read_checkpoints(connection, known[folder].run_id, folder)
            owner = find_owner(connection, known[folder].run_id)
        recorded = {Path(row.path) for row in rows}
        unknown = () if owner else sorted(set((folder / "checkpoints").glob("*/")) - recorded)
        found += [Orphan(known[folder].name, path, size_of(path)) for path in unknown]
    return [*found, *_orphans_in_store(engine, home)]


def _orphans_in_store(engine: Engine, home: Path) -> Iterator[Orphan]:
    if (store := file_store()) is None:
        return
    known = {folder_of(home, run.name, run.uid).name: run for run in list_runs(engine)}
    for folder, sizes in by_folder(store.sizes("runs")).items():
        place = f"{store.address}/runs/{folder}"
        if folder not in known:
            yield Orphan(None, place, sum(sizes.values()))
            continue
        stored = open_stored(engine, home, known[folder].name)
        with engine.connect() as connection:
            owner = find_owner(connection, stored.run_id)
        recorded = {stored.key_of(row) for row in stored.read(read_checkpoints, stored.folder)}
        for name, files in by_folder(by_folder(sizes).get("checkpoints", {})).items():
            if not owner and f"{stored.store_key}/checkpoints/{name}" not in recorded:
                yield Orphan(known[folder].name, f"{place}/checkpoints/{name}", sum(files.values()))


def _checkpoints(stored: StoredRun, every: int | None) -> tuple[list[CheckpointRow], list[CheckpointRow]]:
    """Return all trained checkpoints, and those of them that the run does not need."""
    with stored.engine.connect() as connection:
        overview = find_overview(connection, stored.run.name)
    rows = [row for row in stored.read(read_checkpoints, stored.folder) if row.iteration > 0]
    last = max((row.iteration for row in rows), default=0)
    starts = {path for _, path in stored.starts()}
    kept = {last, overview.best_iteration if overview else None}
    kept |= {row.iteration for row in rows if Path(row.path).resolve() in starts}
    return rows, [
        row for row in rows if row.iteration not in kept and not (every and row.iteration % every == 0)
    ]


def remove(stored: StoredRun, found: list[Removable], tokens: TokenIds) -> None:
    """Remove what :func:`removable` and :func:`removable_tokens` found. No process can take over the run meanwhile.

    Raises:
        RunConflictError: A process owns the run.
        HomeError: A directory is outside the run's own, or cannot be removed.
        FileStoreError: The file store does not remove what lies there.
    """
    with hold_run(stored.engine, stored.run_id, stored.run.name):
        for item in found:
            if item.key is None:
                _remove_here(stored, Path(item.path), item)
            elif stored.file_store is not None:
                stored.file_store.remove(item.key)
        if tokens.bytes:
            remove_tokens(stored.engine, stored.run_id, tokens.iterations)


def _remove_here(stored: StoredRun, path: Path, item: Removable) -> None:
    # The path comes from the database: never delete outside the run's directory because of a row.
    if not path.resolve().is_relative_to(stored.folder.resolve()):
        raise HomeError(
            f"{path} is not in the run's directory {stored.folder} and was not removed. Give the data "
            "directory that the run was made with (--home DIRECTORY)."
        )
    try:
        _empty(path, item)
    except OSError as error:
        raise HomeError(f"Cannot remove {path}: {error}. Check its permissions.") from error


def was_removed(checkpoint: Path, sha256: str) -> bool:
    """Return whether the files of this checkpoint were removed on purpose."""
    try:
        marker = json.loads((checkpoint / REMOVED).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and marker.get("sha256") == sha256


def _empty(path: Path, item: Removable) -> None:
    if item.sha256 is None:
        shutil.rmtree(path)
        return
    # The marker is complete before the files go. If this stops in between, the next removal starts over.
    marked = path.with_name(f".{path.name}.removed")
    marked.mkdir(exist_ok=True)
    (marked / REMOVED).write_text(json.dumps({"sha256": item.sha256, "bytes": item.bytes}) + "\n")
    shutil.rmtree(path)
    marked.rename(path)
