"""What a run tells the event log of Prefect's server, by which automations alert (``docker/alerts.py``).

An event names the run's flow run, not the iteration's, so that a trigger can wait for the next one of the same run.
Prefect sends events from a thread and drops them while its server is away. Nothing here reads them.
"""

import time
from uuid import NAMESPACE_OID, UUID, uuid5

from prefect.events import emit_event
from prefect.runtime import flow_run

from adastar_core.progress import Display, Standing
from adastar_core.records import Accuracy
from adastar_core.runs.stored import RunRef
from adastar_core.stages.manifests import EvaluateManifest

PROGRESS = "adastar.progress"
ITERATION_FINISHED = "adastar.iteration.finished"
BELOW_BASE = "adastar.accuracy.below-base"
SUSPENDED = "adastar.suspended"
_SECONDS_BETWEEN_EVENTS = 10.0


class Announcer:
    """Sends the events of one run. Made in the flow whose run they are about.

    Its first event says that the run is being opened: from then on an automation waits for progress.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._resource = {
            "prefect.resource.id": f"prefect.flow-run.{flow_run.id}",
            "prefect.resource.name": run,
        }
        self._sent = 0.0
        self.progress("opening", 0.0)

    def progress(self, stage: str, of_run: float) -> None:
        """Say that the run got on, unless that was said just now."""
        now = time.monotonic()
        if not self._sent or now - self._sent >= _SECONDS_BETWEEN_EVENTS:
            self._sent = now
            self._emit(PROGRESS, {"stage": stage, "percent_of_run": round(100 * of_run, 1)})

    def iteration_finished(
        self, run: RunRef, base: EvaluateManifest, before: EvaluateManifest, now: EvaluateManifest
    ) -> None:
        """Say how good the model is after an iteration, and whether that fell below the base model's accuracy."""
        said = _compared(now, base)
        self._emit(ITERATION_FINISHED, said, _natural(run, ITERATION_FINISHED, now))
        if now.accuracy < base.accuracy and not before.accuracy < base.accuracy:
            self.below_base(run, base, now)

    def below_base(self, run: RunRef, base: EvaluateManifest, measured: EvaluateManifest) -> None:
        """Say that a checkpoint answers fewer items than the base model."""
        self._emit(BELOW_BASE, _compared(measured, base), _natural(run, BELOW_BASE, measured))

    def _emit(self, event: str, payload: dict[str, object], identity: UUID | None = None) -> None:
        emit_event(event, self._resource, payload={"run": self._run, **payload}, id=identity)


def say_suspended() -> None:
    """Say that the flow run at work ends because somebody suspended it: no heartbeat will follow.

    Prefect's own event comes when it is asked for, and heartbeats go on until the task at work is over.
    """
    resource = {
        "prefect.resource.id": f"prefect.flow-run.{flow_run.id}",
        "prefect.resource.name": str(flow_run.name),
    }
    emit_event(SUSPENDED, resource)


class Announced:
    """A display whose run also announces that it gets on."""

    def __init__(self, shown: Display, announcer: Announcer) -> None:
        self._shown, self._announcer = shown, announcer

    def show(self, standing: Standing) -> None:
        """Show it, and announce it."""
        self._shown.show(standing)
        self._announcer.progress(standing.stage.title, standing.of_run)

    def line(self, text: str) -> None:
        """Show one line of text."""
        self._shown.line(text)


def _natural(run: RunRef, event: str, measured: EvaluateManifest) -> UUID:
    """Return the one id of this event: sent twice, the server keeps it once."""
    return uuid5(NAMESPACE_OID, f"{run.uid} {event} {measured.split} {measured.iteration}")


def _compared(measured: EvaluateManifest, base: EvaluateManifest) -> dict[str, object]:
    return {
        "iteration": measured.iteration,
        "split": str(measured.split),
        "accuracy": _numbers(measured.accuracy),
        "base_accuracy": _numbers(base.accuracy),
    }


def _numbers(accuracy: Accuracy) -> dict[str, object]:
    return {"correct": accuracy.correct, "total": accuracy.total, "share": accuracy.share}
