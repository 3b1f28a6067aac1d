"""Trackio: a local database beside the run, unless TRACKIO_SPACE_ID, TRACKIO_SERVER_URL or TRACKIO_DIR says otherwise."""

import os
from collections.abc import Sequence
from pathlib import Path

from adastar_core.monitors import About, Ending, Point, Row


class Trackio:
    """One run of Trackio, named after the run and its uid, because it is found again by its name."""

    def __init__(self, about: About) -> None:
        os.environ.setdefault("TRACKIO_DIR", about.folder)  # read when the client is imported
        import trackio

        self._client = trackio
        self._run = trackio.init(
            about.project, name=f"{about.run}-{about.uid[:8]}", config=dict(about.config), resume="allow",
            embed=False, auto_log_cpu=False, auto_log_gpu=False,
        )  # fmt: skip

    def log(self, points: Sequence[Point]) -> None:
        for point in points:
            self._run.log({point.axis: point.step, **point.numbers}, step=point.step)

    def table(self, name: str, step: int, rows: Sequence[Row]) -> None:
        from pandas import DataFrame

        self._run.log({name: self._client.Table(dataframe=DataFrame(list(rows)))}, step=step)

    def file(self, path: Path) -> None:
        self._client.save(path)

    def close(self, ending: Ending) -> None:  # noqa: ARG002  (Trackio does not know how a run ended)
        self._client.finish()
