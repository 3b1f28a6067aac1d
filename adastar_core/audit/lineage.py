"""What a checkpoint was trained on: its ancestors, and every training example of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from adastar_core.errors import RunConflictError
from adastar_core.machine.numerics import Numerics
from adastar_core.machine.paths import path_of
from adastar_core.models.checkpoints import is_complete, open_checkpoint
from adastar_core.runs.stored import StoredRun, open_stored
from adastar_core.store.checkpoints import CheckpointRow
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
    """A checkpoint and its ancestors, newest first, down to the base model.

    ``owners`` are the processes that worked on the run; ``numerics`` is what decided rounding in each, by its
    fencing number, where recorded. ``origin`` is the lineage of the base model where that is another run's checkpoint.
    """

    stored: StoredRun
    chain: tuple[CheckpointRow, ...]
    owners: tuple[Owner, ...]
    numerics: dict[int, Numerics]
    origin: "Lineage | None"

    def examples(self) -> Iterator[Provenance]:
        """Yield every training example of the chain, oldest iteration first."""
        run = self.stored.run
        iterations = [row.iteration for row in reversed(self.chain) if row.training is not None]
        yield from read_provenance(self.stored.engine, run.run_id, run.dataset_id, iterations)


def trace(engine: Engine, home: Path | None, checkpoint: str) -> Lineage:
    """Return the lineage of ``RUN:ITERATION``, or of a checkpoint's directory or first digits of its digest.

    Raises:
        RunConflictError: This names no checkpoint, or several.
    """
    name, iteration = _identify(engine, home, checkpoint)
    return _lineage(open_stored(engine, home, name), iteration)


def _lineage(stored: StoredRun, iteration: int) -> Lineage:
    chain = tuple(map(stored.located, stored.read(read_ancestors, iteration, stored.folder)))
    started = stored.origin
    origin = None if started is None else _lineage(started[0], started[1].iteration)
    return Lineage(stored, chain, tuple(stored.read(read_owners)), stored.read(read_numerics), origin)


def _identify(engine: Engine, home: Path | None, checkpoint: str) -> tuple[str, int]:
    name, colon, iteration = checkpoint.rpartition(":")
    if colon and iteration.isdigit():
        return name, int(iteration)
    directory = path_of(checkpoint, "checkpoint")
    digest = open_checkpoint(directory).sha256 if is_complete(directory) else checkpoint
    with engine.connect() as connection:
        found = find_checkpoints(connection, digest) if len(digest) >= _LEAST_DIGITS else []
    if len(found) > 1:  # equal checkpoints of several runs: the directory decides
        located = {run: open_stored(engine, home, run) for run, _ in found}
        found = [
            (run, number)
            for run, number in found
            if Path(located[run].checkpoint(number).path).resolve() == directory.resolve()
        ] or found
    if len(found) == 1:
        return found[0]
    named = ", ".join(f"{run}:{number}" for run, number in found[:5])
    problem = f"is several checkpoints: {named}" if found else "is not a recorded checkpoint"
    raise RunConflictError(
        f"{checkpoint!r} {problem}. Give RUN:ITERATION, a checkpoint's directory, or at least {_LEAST_DIGITS} digits of "
        "its digest (`adastar show RUN` lists the iterations)."
    )
