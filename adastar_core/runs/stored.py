"""A run as the store knows it: its configuration, its problem and its data, without owning it."""

import difflib
import re
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine

from adastar_core.config import RunConfig
from adastar_core.errors import ModelError, RunConflictError
from adastar_core.machine.home import default_home
from adastar_core.models.source import resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems import Problem
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.records import Observation
from adastar_core.settings import Settings
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoint
from adastar_core.store.observations import read_observations
from adastar_core.store.runs import Run, find_run, list_runs, read_run_config
from adastar_core.store.urls import shown

P = ParamSpec("P")
R = TypeVar("R")


class RunRef(Settings):
    """Names a run: its ``uid`` is new for every run in a database, its digest covers the configuration."""

    uid: str
    name: str
    config_sha256: str


@dataclass(frozen=True)
class StoredRun:
    """A run that is read, never written; ``config`` has defaults for what may differ between processes."""

    engine: Engine
    home: Path
    run: Run
    config: RunConfig

    @property
    def run_id(self) -> int:
        return self.run.run_id

    @property
    def ref(self) -> RunRef:
        return RunRef(uid=self.run.uid, name=self.run.name, config_sha256=self.run.config_sha256)

    @property
    def folder(self) -> Path:
        """The run's own directory: checkpoints, work files, report."""
        return folder_of(self.home, self.run.name, self.run.uid)

    def command(self, name: str, *options: str) -> str:
        """Return the `adastar` command of this name on this run, for a shell in which nothing else is set.

        A password is not in it: it has stars in its place.
        """
        words = ["adastar", name, self.run.name, *options]
        if self.home != default_home().absolute():
            words += ["--home", str(self.home)]
        url = f"ADASTAR_DATABASE_URL={shlex.quote(shown(self.engine.url))} "
        return (url if self.config.database_url else "") + shlex.join(words)

    def read(
        self, query: Callable[Concatenate[Connection, int, P], R], *arguments: P.args, **named: P.kwargs
    ) -> R:
        """Return the result of a query of the store on this run."""
        with self.engine.connect() as connection:
            return query(connection, self.run_id, *arguments, **named)

    @cached_property
    def problem(self) -> Problem:
        """Prompts and verifier; the data that they came with is not read."""
        problem = open_problem(self.config.problem)
        if not self.config.prompt.chat:
            return problem
        return prompted(problem, self.config.prompt, self.base, self.run.day)

    @cached_property
    def base(self) -> Path:
        """The base model's directory: the recorded one, or, if that is gone, the one that its name gives here.

        Raises:
            ModelError: Neither is there.
        """
        recorded = Path(self.read(read_checkpoint, 0, self.folder).path)
        return recorded if recorded.is_dir() else resolve_model(self.run.base_model)

    def located(self, checkpoint: CheckpointRow) -> CheckpointRow:
        """Return a checkpoint with its directory on this machine; the base model may lie elsewhere than recorded."""
        with suppress(ModelError):
            return checkpoint if checkpoint.iteration else replace(checkpoint, path=str(self.base))
        return checkpoint

    def checkpoint(self, iteration: int) -> CheckpointRow:
        """Return the checkpoint of an iteration; 0 is the base model."""
        return self.located(self.read(read_checkpoint, iteration, self.folder))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.base)

    @cached_property
    def train(self) -> Sequence[Observation]:
        """The training observations by position, as first seen."""
        with self.engine.connect() as connection:
            return read_observations(connection, self.run.dataset_id)


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
    return StoredRun(engine, (home or default_home()).absolute(), run, config)


def no_such_run(engine: Engine, name: str) -> RunConflictError:
    """Return the error for a name that no run has."""
    names = [run.name for run in list_runs(engine)]
    near = difflib.get_close_matches(name, names, n=3) or names[-3:]
    known = f"nearest: {', '.join(near)}" if near else "this database has no runs"
    return RunConflictError(
        f"There is no run {name!r} in this database; {known}. `adastar runs` lists all; --home or ADASTAR_DATABASE_URL chooses another database."
    )


def folder_of(home: Path, name: str, uid: str) -> Path:
    """Return the run's own directory in a data directory, whether or not it exists."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".") or "run"
    return home / "runs" / f"{plain[:80]}-{uid[:8]}"
