"""Recorded checkpoints. A record is never replaced: another digest under the same key is an error.

A checkpoint is known by its digest; where it lies is recorded relative to the run's directory, so that a data directory may be
moved, restored elsewhere or mounted under another path. No other module sees a recorded path.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.dialects.postgresql import insert

from adastar_core.errors import CheckpointError, StageError
from adastar_core.store import tables


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """How a checkpoint was trained.

    Attributes:
        steps: Optimizer steps.
        examples: Rationales, |D+|.
        loss: Mean cross-entropy of the trained tokens, in nats.
        token_accuracy: Share of the trained tokens that were ranked first.
    """

    steps: int
    examples: int
    loss: float
    token_accuracy: float


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """A recorded checkpoint.

    Attributes:
        iteration: The iteration that trained it; 0 = the base model.
        parent_iteration: The checkpoint that training started from; ``None`` for the base model.
        path: Its directory, as it is called on this machine now.
        sha256: Digest of its files.
        bytes: Size of its files.
        parameters: Parameters of the model, P.
        training: How it was trained; ``None`` for the base model.
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

    Args:
        checkpoint: What to record.
        folder: The run's directory.

    Raises:
        CheckpointError: Another checkpoint is recorded for the iteration.
    """
    values = {"run_id": run_id, **asdict(checkpoint), "path": _recorded(Path(checkpoint.path), folder)}
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
    """Return the recorded checkpoint of an iteration, if there is one; ``folder`` is the run's directory."""
    row = connection.execute(_CHECKPOINT, {"run_id": run_id, "iteration": iteration}).one_or_none()
    return None if row is None else _checkpoint(row, folder)


def read_checkpoints(connection: Connection, run_id: int, folder: Path) -> list[CheckpointRow]:
    """Return every recorded checkpoint by iteration, the base model first; ``folder`` is the run's directory."""
    return [_checkpoint(row, folder) for row in connection.execute(_CHECKPOINTS, {"run_id": run_id})]


def _recorded(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _located(recorded: str, folder: Path) -> Path:
    """Return where a recorded path leads here. Early versions recorded whole ones, with the run's directory as it was called then."""
    parts = Path(recorded).parts
    inside = parts.index(folder.name) + 1 if folder.name in parts else 0
    return folder.joinpath(*parts[inside:])


def _checkpoint(row: Row[Any], folder: Path) -> CheckpointRow:
    training = (
        None if row.steps is None else TrainingFacts(row.steps, row.examples, row.loss, row.token_accuracy)
    )
    return CheckpointRow(
        row.iteration,
        row.parent_iteration,
        str(_located(row.path, folder)),
        row.sha256,
        row.bytes,
        row.parameters,
        training,
    )


def read_checkpoint(connection: Connection, run_id: int, iteration: int, folder: Path) -> CheckpointRow:
    """Return the recorded checkpoint of an iteration; ``folder`` is the run's directory.

    Raises:
        StageError: None is recorded.
    """
    found = find_checkpoint(connection, run_id, iteration, folder)
    if found is None:
        raise StageError(f"Run number {run_id} has no recorded checkpoint of iteration {iteration}.")
    return found


def newest_checkpoint(connection: Connection, run_id: int) -> int:
    """Return the iteration of the newest recorded checkpoint; 0 is the base model."""
    newest = connection.scalar(
        text("SELECT max(iteration) FROM checkpoints WHERE run_id = :run_id"), {"run_id": run_id}
    )
    return newest or 0


_CHECKPOINT = text("SELECT * FROM checkpoints WHERE run_id = :run_id AND iteration = :iteration")
_CHECKPOINTS = text("SELECT * FROM checkpoints WHERE run_id = :run_id ORDER BY iteration")
_TRAINED = text(
    "UPDATE iterations SET phase = 'trained' WHERE run_id = :run_id AND iteration = :iteration AND phase = 'sampled'"
)
