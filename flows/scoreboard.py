"""What a comparison's page shows while its runs work: how many are done, and how far and how good each one is."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from threading import Event, Thread
from types import MappingProxyType
from uuid import UUID

import httpx
from prefect.artifacts import update_progress_artifact
from prefect.exceptions import PrefectException
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from adastar_core import names
from adastar_core.comparison.dropping import Verdict
from adastar_core.comparison.rung_text import dropped_after
from adastar_core.comparison.rungs import Rung
from adastar_core.compute import pflops
from adastar_core.config.methods import METHODS, MethodName
from adastar_core.errors import AdaStarError
from adastar_core.machine.units import NONE, accuracy, flops
from adastar_core.records import Accuracy, Split
from adastar_core.runs.stored import open_store
from adastar_core.store.evaluations import read_evaluations
from adastar_core.store.overview import Overview, find_overview
from flows.members import ComparisonSettings
from tasks.artifacts import described, put_artifact

SECONDS_BETWEEN_UPDATES = 10.0
ABOUT = (
    "{title}. Accuracies are those of each run's best iteration on validation so far, with 95 % intervals."
)
Row = dict[str, str]


class Scoreboard:
    """Two artifacts of the comparison's flow run, which change in place: a progress bar and a table of the runs.

    Attributes:
        rung: The part of the budget that the runs are at.
        dropped: The methods that earlier rungs have dropped.
    """

    def __init__(self, settings: ComparisonSettings) -> None:
        self._settings = settings
        self._engine, _ = open_store(settings.config(settings.methods[0], settings.seeds[0]))
        self._progress: UUID | None = None
        self.rung: Rung | None = None
        self.dropped: dict[MethodName, Verdict] = {}

    def show(self) -> None:
        """Show where the runs stand. A server or a database that is away for a moment costs one update, nothing else."""
        with suppress(DBAPIError, AdaStarError, PrefectException, httpx.HTTPError):
            with self._engine.connect() as connection:
                rows, done = rows_of(connection, self._settings, self.rung, self.dropped)
            about = ABOUT.format(title=self._settings.title)
            put_artifact("table", names.key(self._settings.name, "runs"), json.dumps(rows), about)
            self._move(done, len(rows), [row["run"] for row in rows if row["state"] == "running"])

    def keep_showing(self, over: Event) -> None:
        while not over.wait(SECONDS_BETWEEN_UPDATES):
            self.show()

    def close(self) -> None:
        self._engine.dispose()

    def _move(self, done: float, runs: int, working: Sequence[str]) -> None:
        said = f"{self._settings.name}: {done:.1f} of {runs} runs done"
        said += f"; at work: {'; '.join(working)}" if working else ""  # their titles have commas
        if self._progress is None:
            key = names.key(self._settings.name, "progress")
            self._progress = put_artifact("progress", key, 0.0, said)
        update_progress_artifact(self._progress, 100.0 * done / runs, described(said))


@contextmanager
def scoreboard(settings: ComparisonSettings) -> Iterator[Scoreboard]:
    """Show where the runs stand every few seconds while the block is at work, and once more at its end; yield the board."""
    over, board = Event(), Scoreboard(settings)
    here = copy_context()  # the artifacts belong to the flow run at work
    thread = Thread(target=here.run, args=(board.keep_showing, over), name="scoreboard", daemon=True)
    board.show()
    thread.start()
    try:
        yield board
        over.set()
        thread.join()
        board.show()
    finally:
        over.set()
        board.close()


def rows_of(
    connection: Connection,
    settings: ComparisonSettings,
    rung: Rung | None = None,
    dropped: Mapping[MethodName, Verdict] = MappingProxyType({}),
) -> tuple[list[Row], float]:
    """Return a row per run, and how many runs are done, those at work counting for the share of their iterations."""
    rows, done = [], 0.0
    part = rung.limit / rung.whole if rung else 1.0
    for seed in settings.seeds:
        for method in settings.methods:
            found = find_overview(connection, settings.run_name(method, seed))
            title = f"{METHODS[method].title}, seed {seed}"
            cells = _cells(connection, found) if found else _NOTHING
            if method in dropped:
                cells = {**cells, "state": dropped_after(dropped[method])}
            rows.append({"run": title, **cells})
            done += 1.0 if method in dropped else part * _share(found) if found else 0.0
    return rows, done


_NOTHING = {"state": "waiting", "iterations": NONE, "validation": NONE, "test": NONE, "compute": NONE}


def _share(run: Overview) -> float:
    """Return how much of a run is done; one that ends by its budget or its patience may jump to its end."""
    return 1.0 if run.state == "finished" else min(run.done / max(run.wanted, 1), 0.99)


def _cells(connection: Connection, run: Overview) -> Row:
    measured = None if run.correct is None or run.total is None else Accuracy(run.correct, run.total)
    on_test = {
        row.iteration: row.accuracy
        for row in read_evaluations(connection, run.run_id)
        if row.split is Split.TEST
    }
    return {
        "state": run.state,
        "iterations": f"{run.done} of {run.wanted}",
        "validation": accuracy(measured),
        "test": accuracy(on_test.get(run.best_iteration or 0)),
        "compute": flops(pflops(run.flops)),
    }
