"""Restart points of a training: complete or absent, and tied to the inputs they belong to.

A training's work directory holds ``trainer-<owner>/`` (being written), at most a few ``restart-<inputs>-<step>``
directories, and ``outcome-<inputs>.json`` once its checkpoint is published. ``<inputs>`` is a digest, so another
training's restart points are never used. ``<owner>`` counts the processes that owned the run: one that was replaced and does
not know it yet never writes among its successor's files.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from adastar_core.errors import CheckpointError
from adastar_core.machine.files import atomic_write
from adastar_core.models import checkpoints


def remove_up_to(own: Path) -> None:
    """Remove ``own``, whose name ends in its owner's number, and what earlier owners left, also before they were numbered."""
    beginning = own.name.rpartition("-")[0]
    for found in own.parent.glob(f"{beginning}*"):
        if found.name <= own.name:
            shutil.rmtree(found, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class TrainingTotals:
    """The means and the time of a finished training; see :class:`adastar_core.trainers.TrainingOutcome`."""

    loss: float
    token_accuracy: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Finished:
    """A training that is over: what it came to, and its checkpoint's directory and digest."""

    totals: TrainingTotals
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class WorkDirectory:
    """The restart points and the outcome of one training, in a directory of its own.

    ``inputs`` is the digest of everything that decides the result, ``owner`` the run's fencing number.
    """

    path: Path
    inputs: str
    owner: int = 0

    @property
    def scratch(self) -> Path:
        """Return where a restart point is written before it is complete."""
        return self.path / f"trainer-{self.owner:06d}"

    def open(self) -> None:
        """Create the directory and remove what is half-written or belongs to other inputs."""
        self.path.mkdir(parents=True, exist_ok=True)
        remove_up_to(self.scratch)
        for found in self.path.glob("restart-*"):
            if not found.name.startswith(self._restart("")):
                shutil.rmtree(found)
        for outcome in self.path.glob("outcome-*"):
            if outcome != self._outcome:
                outcome.unlink()

    def keep(self, written: Path, step: int) -> None:
        """Make ``written`` the restart point of ``step`` and drop the earlier ones.

        One that another owner has left of this step is kept: it is of the same training, so either will do.
        """
        final = self.path / self._restart(f"{step:09d}")
        if checkpoints.is_complete(final):
            shutil.rmtree(written)
        else:
            checkpoints.publish(written, final)
        for earlier in self._restarts()[:-1]:
            shutil.rmtree(earlier, ignore_errors=True)

    def latest(self) -> Path | None:
        """Return the last restart point whose files are the written ones; broken ones are removed."""
        for found in reversed(self._restarts()):
            try:
                return checkpoints.verify(found, checkpoints.open_checkpoint(found).sha256).path
            except (CheckpointError, FileNotFoundError):
                shutil.rmtree(found, ignore_errors=True)
        return None

    def step_of_latest(self) -> int:
        """Return the steps that are done at the last restart point; 0 without one."""
        restart = self.latest()
        return 0 if restart is None else int(restart.name.rpartition("-")[2])

    def finish(self, totals: TrainingTotals, checkpoint: checkpoints.Checkpoint) -> Finished:
        """Store the result in one step, and return it."""
        finished = Finished(totals, checkpoint.path.name, checkpoint.sha256)
        with atomic_write(self._outcome) as part:
            part.write_text(json.dumps(asdict(finished)))
        return finished

    def finished(self) -> Finished | None:
        """Return what :meth:`finish` stored for these inputs; ``None`` before."""
        if not self._outcome.is_file():
            return None
        values = json.loads(self._outcome.read_text())
        if "totals" not in values:
            return None  # written before it named its checkpoint
        return Finished(TrainingTotals(**values["totals"]), values["name"], values["sha256"])

    def clean(self) -> None:
        for directory in (self.scratch, *self._restarts()):
            shutil.rmtree(directory, ignore_errors=True)

    @property
    def _outcome(self) -> Path:
        return self.path / f"outcome-{self.inputs[:16]}.json"

    def _restart(self, step: str) -> str:
        return f"restart-{self.inputs[:16]}-{step}"

    def _restarts(self) -> list[Path]:
        return sorted(self.path.glob(self._restart("*")))
