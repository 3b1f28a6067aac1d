"""Progress of a run as one Prefect artifact, for runs that nobody watches on a terminal."""

import logging
import time
from itertools import groupby
from uuid import UUID

from prefect.artifacts import update_progress_artifact
from prefect.logging import get_run_logger

from adastar_core import names
from adastar_core.progress import Standing
from adastar_core.progress.text import stage_text
from tasks.artifacts import described, put_artifact

_SECONDS_BETWEEN_UPDATES = 5.0


class ArtifactProgress:
    """One artifact that moves through the run's stages, under the run's name, and lines in the flow run's log."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._artifact: UUID | None = None
        self._updated = time.monotonic()

    def begin(self, *opening: str) -> None:
        """Say what the run is, a line each, and show it from now on. Called in the flow whose run owns the artifact."""
        for line in opening:
            self.line(line)
        self._artifact = put_artifact("progress", names.key(self._run, "progress"), 0.0, self._run)

    def show(self, standing: Standing) -> None:
        """Move the artifact. Each update is a request to the server, so there is one in some seconds."""
        now = time.monotonic()
        if now - self._updated >= _SECONDS_BETWEEN_UPDATES:
            self._update(100.0 * standing.of_run, stage_text(standing, standing.at))

    def finish(self, result: str) -> None:
        """Show that the run is done, and what came out."""
        self._update(100.0, result)

    def line(self, text: str) -> None:
        """Write a text into the log of the flow run that is at work; its warnings are found by their level."""
        for warned, lines in groupby(text.split("\n"), lambda line: line.startswith("WARNING")):
            get_run_logger().log(logging.WARNING if warned else logging.INFO, "\n".join(lines))

    def _update(self, percent: float, said: str) -> None:
        if self._artifact is not None:
            self._updated = time.monotonic()
            update_progress_artifact(self._artifact, percent, described(f"{self._run}: {said}"))
