"""A run as the store knows it: its configuration, its problem and its data, without owning it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from adastar_core.config import RunConfig
from adastar_core.errors import RunConflictError
from adastar_core.home import default_home
from adastar_core.problems import Problem
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.records import Observation
from adastar_core.stages.opening import make_folder
from adastar_core.store.checkpoints import read_checkpoint
from adastar_core.store.observations import read_observations
from adastar_core.store.runs import Run, find_run, list_runs, read_run_config


@dataclass(frozen=True)
class StoredRun:
    """A run that is read, never written.

    Attributes:
        engine: The database.
        home: The data directory.
        run: The run.
        config: Its configuration; what may differ from process to process has its defaults.
    """

    engine: Engine
    home: Path
    run: Run
    config: RunConfig

    @cached_property
    def problem(self) -> Problem:
        """Prompts and verifier; the data that they came with is not read."""
        with self.engine.connect() as connection:
            base = read_checkpoint(connection, self.run.run_id, 0)
        return prompted(open_problem(self.config.problem), self.config.prompt, Path(base.path))

    @cached_property
    def train(self) -> list[Observation]:
        """The training observations by position, as they were when they were first seen."""
        with self.engine.connect() as connection:
            return read_observations(connection, self.run.dataset_id)

    @property
    def folder(self) -> Path:
        """The run's own directory."""
        return make_folder(self.home, self.run.name, self.run.uid)


def open_stored(engine: Engine, home: Path | None, name: str) -> StoredRun:
    """Return the run of this name.

    Raises:
        RunConflictError: There is none.
        ConfigError: It was created by a version whose configuration this one cannot read.
    """
    run = find_run(engine, name)
    if run is None:
        raise no_such_run(engine, name)
    with engine.connect() as connection:
        identity = read_run_config(connection, run.run_id)
    config = RunConfig.of_identity({**identity, "iterations": run.iterations, "patience": run.patience})
    return StoredRun(engine, home or default_home(), run, config)


def no_such_run(engine: Engine, name: str) -> RunConflictError:
    """Return the error for a name that no run has."""
    known = ", ".join(run.name for run in list_runs(engine)[-5:]) or "none yet"
    return RunConflictError(
        f"There is no run {name!r}; the newest are: {known}. `adastar runs` lists them all."
    )
