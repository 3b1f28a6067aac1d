"""Frees the space of checkpoints that nothing needs: all but the best, the last and every n-th.

Files go, and with a checkpoint's the token ids of the rollouts that it was trained on: they are for training it again. Every
row stays with its text, so lineage and audit keep working, and a marker in the emptied directory tells ``verify`` that the
files were removed on purpose.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import HomeError
from adastar_core.runs.stored import StoredRun
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoints
from adastar_core.store.locks import hold_run
from adastar_core.store.overview import find_overview
from adastar_core.store.rollouts import remove_tokens, size_of_tokens

_MARKER = "removed.json"


@dataclass(frozen=True, slots=True)
class Removable:
    """A directory that can go: a checkpoint's, or the work files of a training that is over (no digest)."""

    run: str
    iteration: int
    path: Path
    bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class TokenIds:
    """Token ids that can go, with the iterations whose rollouts they are of."""

    run: str
    iterations: tuple[int, ...]
    bytes: int


def removable(stored: StoredRun, every: int | None) -> list[Removable]:
    """Return what the run does not need: not its best checkpoint, its last, every n-th, nor the base model.

    Args:
        stored: The run.
        every: Keep each iteration that this number divides; ``None`` keeps the best and the last only.
    """
    rows, spare = _checkpoints(stored, every)
    checkpoints = [
        Removable(stored.run.name, row.iteration, Path(row.path), row.bytes, row.sha256)
        for row in spare
        if Path(row.path).is_dir() and not was_removed(Path(row.path), row.sha256)
    ]
    return checkpoints + _work_files(stored, {row.iteration for row in rows})


def removable_tokens(stored: StoredRun, every: int | None) -> TokenIds:
    """Return the token ids of those iterations whose checkpoint the run does not need; arguments as in :func:`removable`."""
    iterations = tuple(sorted(row.iteration for row in _checkpoints(stored, every)[1]))
    with stored.engine.connect() as connection:
        return TokenIds(
            stored.run.name, iterations, size_of_tokens(connection, stored.run.run_id, iterations)
        )


def _checkpoints(stored: StoredRun, every: int | None) -> tuple[list[CheckpointRow], list[CheckpointRow]]:
    """Return all trained checkpoints, and those that are neither the best, nor the last, nor an n-th."""
    with stored.engine.connect() as connection:
        overview = find_overview(connection, stored.run.name)
        recorded = read_checkpoints(connection, stored.run.run_id, stored.folder)
    rows = [row for row in recorded if row.iteration > 0]
    newest = max((row.iteration for row in rows), default=0)
    kept = {newest, overview.best_iteration if overview else None}
    return rows, [
        row for row in rows if row.iteration not in kept and not (every and row.iteration % every == 0)
    ]


def remove(stored: StoredRun, found: list[Removable], tokens: TokenIds) -> None:
    """Remove what :func:`removable` and :func:`removable_tokens` found, while nobody else can own the run.

    Raises:
        RunConflictError: A process owns the run.
        HomeError: A directory is not the run's own, or cannot be removed.
    """
    with hold_run(stored.engine, stored.run.run_id, stored.run.name):
        for one in found:
            _require_own(stored, one.path)
            try:
                _empty(one)
            except OSError as error:
                raise HomeError(f"{one.path} cannot be removed: {error}. Check its permissions.") from error
        if tokens.bytes:
            remove_tokens(stored.engine, stored.run.run_id, tokens.iterations)


def was_removed(checkpoint: Path, sha256: str) -> bool:
    """Return whether the files of this checkpoint were removed on purpose."""
    try:
        marker = json.loads((checkpoint / _MARKER).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and marker.get("sha256") == sha256


def _require_own(stored: StoredRun, path: Path) -> None:
    """Refuse a directory that lies elsewhere, whatever the database says."""
    if not path.resolve().is_relative_to(stored.folder.resolve()):
        raise HomeError(
            f"{path} does not lie in the run's directory {stored.folder}, so it is left alone. Name the data directory "
            "that the run was made with (--home DIRECTORY)."
        )


def _empty(one: Removable) -> None:
    if one.sha256 is None:
        shutil.rmtree(one.path)
        return
    marker = one.path.with_name(f".{one.path.name}.removed")
    marker.mkdir(exist_ok=True)
    (marker / _MARKER).write_text(json.dumps({"sha256": one.sha256, "bytes": one.bytes}) + "\n")
    shutil.rmtree(one.path)
    marker.rename(one.path)


def _work_files(stored: StoredRun, trained: set[int]) -> list[Removable]:
    folders = ((number, stored.folder / "work" / f"finetune-{number:04d}") for number in sorted(trained))
    return [
        Removable(stored.run.name, number, folder, _size_bytes(folder), None)
        for number, folder in folders
        if folder.is_dir()
    ]


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
