"""Starts the processes of a training, as ``torchrun`` does, and reports their progress."""

import json
import os

from adastar_core.errors import StageError
from adastar_core.machine.child import Child
from adastar_core.trainers import TrainingProgress
from adastar_core.trainers.job import Job
from adastar_core.trainers.loop import OnProgress
from adastar_core.trainers.restart import WorkDirectory

WORKER = "adastar_core.trainers.worker"
_LINES_SHOWN = 12


def launch(job: Job, directory: WorkDirectory, steps: int, report: OnProgress) -> None:
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
        # The first error is the cause; the other processes then fail for want of the first.
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
        errors = [line for line in lines if "Error:" in line or "Signal" in line]
        reason = (errors or lines[-_LINES_SHOWN:] or ["no message"])[0]
        raise StageError(
            f"training in {count} processes ended with status {status}: {reason}. Run it again to resume "
            f"from the last restart point; the processes' messages are in {log}"
        )
    order.unlink()
    log.unlink()
