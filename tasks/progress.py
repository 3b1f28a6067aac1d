"""Progress of stages as Prefect artifacts, for runs that nobody watches on a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from adastar_core import names
from adastar_core.progress import Bar, Silent

_SECONDS_BETWEEN_UPDATES = 5.0


class _ArtifactBar:
    """Counts a stage's units. Each update is a request to the server, so there is one in some seconds."""

    def __init__(self, artifact: UUID, total: int) -> None:
        self._artifact, self._total, self._done = artifact, total, 0
        self._updated = time.monotonic()

    def advance(self, done: int, tokens: int = 0) -> None:  # noqa: ARG002 (the protocol's signature)
        self._done += done
        if time.monotonic() - self._updated > _SECONDS_BETWEEN_UPDATES or self._done >= self._total:
            self._updated = time.monotonic()
            update_progress_artifact(self._artifact, progress=100.0 * self._done / self._total)


class ArtifactProgress:
    """One progress artifact per stage of an iteration, under the run's name, and a log line per iteration."""

    def __init__(self, run: str) -> None:
        self._run = run

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        """Show a bar of ``total`` units; none for a stage with nothing left to do."""
        if not total:
            with Silent().stage(name, total, unit) as silent:
                yield silent
            return
        artifact = create_progress_artifact(
            0.0, key=names.key(self._run, name), description=f"{name}: {total:,} {unit}s"
        )
        assert isinstance(artifact, UUID), "the call is synchronous"
        yield _ArtifactBar(artifact, total)

    def line(self, text: str) -> None:
        get_run_logger().info(text)
