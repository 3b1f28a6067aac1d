"""Recorded checkpoints. A record is never replaced: another digest under the same key is an error.

A checkpoint is identified by its digest. Its place is recorded relative to the run's directory, so that a data directory can be
moved, restored elsewhere or mounted under another path. No other module sees a recorded path. In this module, ``folder`` is
the run's directory.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.dialects.postgresql import insert

from adastar_core.errors import CheckpointError, ConfigError
from adastar_core.store import tables


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """How a checkpoint was trained: optimizer steps, rationales |D+|, and two means over the trained tokens (loss in nats)."""

    steps: int
    examples: int
    loss: float
    token_accuracy: float


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A recorded checkpoint: its directory on this machine, digest and size of its files, and P of its model.

    ``parent_iteration``, which training started from, and ``training`` are ``None`` for the base model.
    """

    iteration: int
    parent_iteration: int | None
    path: str
    sha256: str
    bytes: int
    parameters: int
    training: TrainingFacts | None = None


def write_checkpoint(connection: Connection, run_id: int, checkpoint: CheckpointRow, folder: Path) -> bool:
    """Record a checkpoint, and its iteration as trained; return whether it was not recorded yet.

    Raises:
        CheckpointError: Another checkpoint is recorded for the iteration.
    """
    path = Path(checkpoint.path)
    if path.is_relative_to(folder):
        path = path.relative_to(folder)
    values = {"run_id": run_id, **asdict(checkpoint), "path": str(path)}
    values |= values.pop("training") or {}
    inserted = connection.execute(insert(tables.checkpoints).values(values).on_conflict_do_nothing()).rowcount
    recorded = read_checkpoint(connection, run_id, checkpoint.iteration, folder)
    if recorded.sha256 != checkpoint.sha256:
        raise CheckpointError(
            f"Iteration {checkpoint.iteration} has a recorded checkpoint {recorded.path} with digest {recorded.sha256}, "
            f"and {checkpoint.path} has {checkpoint.sha256}. Put back the recorded files, or start a new run."
        )
    connection.execute(_TRAINED, {"run_id": run_id, "iteration": checkpoint.iteration})
    return bool(inserted)


def find_checkpoint(
    connection: Connection, run_id: int, iteration: int, folder: Path
) -> CheckpointRow | None:
    """Return an iteration's recorded checkpoint, its place in ``folder``; ``None`` if there is none."""
    row = connection.execute(_CHECKPOINT, {"run_id": run_id, "iteration": iteration}).one_or_none()
    return None if row is None else _checkpoint(row, folder)


def read_checkpoints(connection: Connection, run_id: int, folder: Path) -> list[CheckpointRow]:
    """Return every recorded checkpoint by iteration, the base model first."""
    return [_checkpoint(row, folder) for row in connection.execute(_CHECKPOINTS, {"run_id": run_id})]


def _checkpoint(row: Row[Any], folder: Path) -> CheckpointRow:
    # Early versions recorded whole paths, with the name that the run's directory had then.
    parts = Path(row.path).parts
    inside = parts.index(folder.name) + 1 if folder.name in parts else 0
    path = str(folder.joinpath(*parts[inside:]))
    facts = None
    if row.steps is not None:
        facts = TrainingFacts(row.steps, row.examples, row.loss, row.token_accuracy)
    place = (row.iteration, row.parent_iteration, path)
    return CheckpointRow(*place, row.sha256, row.bytes, row.parameters, facts)


def read_checkpoint(connection: Connection, run_id: int, iteration: int, folder: Path) -> CheckpointRow:
    """Return the recorded checkpoint of an iteration; :class:`ConfigError` if there is none."""
    found = find_checkpoint(connection, run_id, iteration, folder)
    if found is None:
        name, newest = connection.scalar(_NAME, {"run_id": run_id}), newest_checkpoint(connection, run_id)
        known = f"0 (the base model) to {newest}" if newest else "0, the base model,"
        raise ConfigError(
            f"Run {name!r} has no checkpoint of iteration {iteration}. There are those of {known} alone."
        )
    return found


def newest_checkpoint(connection: Connection, run_id: int) -> int:
    """Return the iteration of the newest recorded checkpoint; 0 is the base model."""
    query = text("SELECT max(iteration) FROM checkpoints WHERE run_id = :run_id")
    return connection.scalar(query, {"run_id": run_id}) or 0


_CHECKPOINT = text("SELECT * FROM checkpoints WHERE run_id = :run_id AND iteration = :iteration")
_NAME = text("SELECT name FROM runs WHERE run_id = :run_id")
_CHECKPOINTS = text("SELECT * FROM checkpoints WHERE run_id = :run_id ORDER BY iteration")
_TRAINED = text(
    "UPDATE iterations SET phase = 'trained' WHERE run_id = :run_id AND iteration = :iteration AND phase = 'sampled'"
)
