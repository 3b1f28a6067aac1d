"""Starts the processes of a training, as ``torchrun`` does, shows their progress, and leaves none behind."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from adastar_core.errors import StageError
from adastar_core.machine.child import Child
from adastar_core.trainers import TrainingProgress
from adastar_core.trainers.job import Job
from adastar_core.trainers.loop import Report
from adastar_core.trainers.restart import WorkDirectory

Launcher = Callable[[Job, WorkDirectory, int, Report], None]
"""Trains elsewhere up to a step, reports each one, and leaves a restart point of the last."""

WORKER = "adastar_core.trainers.worker"
_LINES_SHOWN = 12


def launch(job: Job, directory: WorkDirectory, steps: int, report: Report) -> None:
    """Train in ``settings.processes`` processes; they leave a restart point of the last step.

    Raises:
        StageError: One of them failed or was killed, or they waited for it too long. All of them have ended by then.
    """
    if directory.step_of_latest() == steps:
        return
    order, log = directory.scratch / "job.json", job.work / "processes.log"
    order.parent.mkdir(exist_ok=True)
    order.write_text(job.to_json())
    count = str(job.settings.processes)
    child = Child(WORKER, ["launch", str(os.getpid()), count, str(order)], log=log)
    try:
        for line in child.lines():
            if line.startswith("{"):
                report(TrainingProgress(**json.loads(line)))
        status = child.wait()
    finally:
        child.kill()  # the kernel ends its children
    if status:
        raise StageError(
            f"training in {count} processes ended with status {status}: {_reason(log)}. Run it again, and it goes on "
            f"from its last restart point; the processes' messages are in {log}"
        )
    order.unlink()
    log.unlink()


def _reason(log: Path) -> str:
    """Return the error in a log's words: the first one raised, or how a process ended."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    wanted = [line for line in lines if "Error:" in line or "Signal" in line]
    return (wanted or lines[-_LINES_SHOWN:] or ["no message"])[0]
