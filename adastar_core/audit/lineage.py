"""What exactly a checkpoint was trained on: its ancestors, and every training example of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from adastar_core.errors import RunConflictError
from adastar_core.machine.numerics import Numerics
from adastar_core.machine.paths import path_of
from adastar_core.models.checkpoints import is_complete, open_checkpoint
from adastar_core.runs.stored import StoredRun, open_stored
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoint
from adastar_core.store.numerics import read_numerics
from adastar_core.store.provenance import (
    Owner,
    Provenance,
    find_checkpoints,
    read_ancestors,
    read_owners,
    read_provenance,
)

_LEAST_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Lineage:
    """A checkpoint and its ancestors, the newest first and the base model last.

    Attributes:
        stored: The run that trained it.
        chain: The checkpoints.
        owners: Every process that worked on the run, with its code.
        numerics: How each of them rounded, by its fencing number, where that was recorded.
    """

    stored: StoredRun
    chain: tuple[CheckpointRow, ...]
    owners: tuple[Owner, ...]
    numerics: dict[int, Numerics]

    def examples(self) -> Iterator[Provenance]:
        """Yield every training example of the chain, the oldest iteration first."""
        run = self.stored.run
        iterations = [one.iteration for one in reversed(self.chain) if one.training is not None]
        yield from read_provenance(self.stored.engine, run.run_id, run.dataset_id, iterations)


def trace(engine: Engine, home: Path | None, checkpoint: str) -> Lineage:
    """Return the lineage of a checkpoint.

    Args:
        engine: The database.
        home: The data directory; ``None`` takes the default.
        checkpoint: ``RUN:ITERATION``, a checkpoint's directory, or the beginning of its digest.

    Raises:
        RunConflictError: No checkpoint is named so, or several are.
    """
    name, iteration = _identify(engine, home, checkpoint)
    stored = open_stored(engine, home, name)
    with engine.connect() as connection:
        chain = read_ancestors(connection, stored.run.run_id, iteration, stored.folder)
        owners = read_owners(connection, stored.run.run_id)
        numerics = read_numerics(connection, stored.run.run_id)
    return Lineage(stored, tuple(map(stored.located, chain)), tuple(owners), numerics)


def _identify(engine: Engine, home: Path | None, checkpoint: str) -> tuple[str, int]:
    """Return run and iteration of a checkpoint."""
    name, colon, iteration = checkpoint.rpartition(":")
    if colon and iteration.isdigit():
        return name, int(iteration)
    directory = path_of(checkpoint, "checkpoint")
    digest = open_checkpoint(directory).sha256 if is_complete(directory) else checkpoint
    with engine.connect() as connection:
        found = find_checkpoints(connection, digest) if len(digest) >= _LEAST_DIGITS else []
    own = (
        [one for one in found if _directory(engine, home, *one) == directory.resolve()]
        if len(found) > 1
        else found
    )
    if len(own) == 1:  # equal checkpoints of several runs have directories of their own
        return own[0]
    named = ", ".join(f"{run}:{number}" for run, number in found[:5])
    problem = f"is several checkpoints: {named}" if found else "is no recorded checkpoint"
    raise RunConflictError(
        f"{checkpoint!r} {problem}. Give RUN:ITERATION, a checkpoint's directory, or at least {_LEAST_DIGITS} digits of "
        "its digest; `adastar show RUN` lists a run's checkpoints."
    )


def _directory(engine: Engine, home: Path | None, name: str, iteration: int) -> Path:
    """Return where a run's checkpoint lies."""
    stored = open_stored(engine, home, name)
    with engine.connect() as connection:
        return Path(read_checkpoint(connection, stored.run.run_id, iteration, stored.folder).path).resolve()
