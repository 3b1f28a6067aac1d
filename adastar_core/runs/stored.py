"""A run as the store knows it: its configuration, its problem and its data, without owning it."""

import difflib
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine

from adastar_core.config import RunConfig
from adastar_core.errors import CheckpointError, HomeError, ModelError, RunConflictError
from adastar_core.machine.home import default_home, usable_home
from adastar_core.models.checkpoints import is_complete
from adastar_core.models.filestore import VARIABLE, FileStore, Sign, file_store
from adastar_core.models.source import check_model, resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.names import NamedCheckpoint, checkpoint_named
from adastar_core.postgres.layout import ServerFiles
from adastar_core.problems import Problem
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.records import Observation
from adastar_core.settings import Settings
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoint
from adastar_core.store.database import open_database
from adastar_core.store.observations import read_observations
from adastar_core.store.overview import find_overview
from adastar_core.store.provenance import read_base_models
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

    @cached_property
    def file_store(self) -> FileStore | None:
        """What keeps the run's files for all machines; ``None`` where this machine has no such store."""
        return file_store()

    def require_store(self) -> None:
        """Require that this machine names a file store, if the run's last owner had one.

        Raises:
            HomeError: It names none.
        """
        if self.run.file_store and self.file_store is None:
            raise HomeError(
                f"Run {self.run.name!r} keeps its checkpoints in {self.run.file_store}, and {VARIABLE} is not set here. Set "
                f"{VARIABLE}={self.run.file_store}, or to another place for it."
            )

    @property
    def store_key(self) -> str:
        """Where the run's files lie in the file store."""
        return store_key(self.folder)

    def key_of(self, checkpoint: CheckpointRow) -> str:
        """Return where a checkpoint lies in the file store."""
        return checkpoint_key(self.folder, checkpoint)

    def fetched(self, checkpoint: CheckpointRow, sign: Sign = lambda: None) -> CheckpointRow:
        """Return the checkpoint after fetching its files from the file store, unless they are here or nowhere.

        Raises:
            HomeError: They are not here, and this machine does not name the run's file store.
        """
        path, key = Path(checkpoint.path), self.key_of(checkpoint)
        # The path comes from the database: no row makes this write outside the run's directory.
        ours = checkpoint.iteration > 0 and path.resolve().is_relative_to(self.folder.resolve())
        if ours and not is_complete(path):
            self.require_store()
            if self.file_store and self.file_store.holds(key):
                self.file_store.get(key, path, checkpoint.sha256, sign)
        return checkpoint

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
        return recorded if recorded.is_dir() else model_in(self.engine, self.home, self.run.base_model)

    @property
    def origin(self) -> "tuple[StoredRun, CheckpointRow] | None":
        """The other run whose checkpoint this one started from, with that checkpoint; ``None`` where it is another model."""
        named = checkpoint_named(self.run.base_model)
        if named is None or named.iteration is None:
            return None
        stored = open_stored(self.engine, self.home, named.run)
        return stored, stored.checkpoint(named.iteration)

    @property
    def root(self) -> Path:
        """The directory of the model that this run's chain of runs began with, whose number format decides what ``auto`` means."""
        return self.base if self.origin is None else self.origin[0].root

    def starts(self) -> list[tuple[str, Path]]:
        """Return which other runs started from one of this run's checkpoints: their names, and its directory."""
        found = []
        for base in self.read(read_base_models):
            named, path = checkpoint_named(base.named), Path(base.path)
            if named is not None and named.run == self.run.name and named.iteration:
                path = Path(self.checkpoint(named.iteration).path)  # the data directory may have moved since
            if path.resolve().is_relative_to(self.folder.resolve()):
                found.append((base.run, path.resolve()))
        return found

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
        return Vocabulary.of(self.base)

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


def open_store(config: RunConfig) -> tuple[Engine, Path]:
    """Return the database and the data directory that a configuration names."""
    home = usable_home(config.checked_home())
    url = config.database_url.get_secret_value() if config.database_url else None
    return open_database(url, home), home


def start_of(config: RunConfig) -> Path:
    """Return the directory of the model that a run of this configuration starts from.

    Raises:
        UserError: There is no such model, or no such checkpoint of a run.
    """
    if checkpoint_named(config.model) is None:
        return resolve_model(config.model)
    with _other_runs(config) as (engine, home):
        return model_in(engine, home, config.model)


def root_of(config: RunConfig) -> Path:
    """Return what :func:`start_of` does, or for another run's checkpoint that run's :attr:`StoredRun.root`."""
    if (named := checkpoint_named(config.model)) is None:
        return resolve_model(config.model)
    with _other_runs(config) as (engine, home):
        return open_stored(engine, home, named.run).root


def pinned(config: RunConfig, name: str) -> RunConfig:
    """Return the configuration with the iteration that ``model: run:OTHER`` means for the run of this name.

    A run that was started keeps the one that it was started with, however the other run goes on.
    """
    named = checkpoint_named(config.model)
    if named is None or named.iteration is not None:
        return config
    with _other_runs(config) as (engine, _):
        run = find_run(engine, name)
        kept = checkpoint_named(run.base_model) if run else None
        meant = kept if kept and kept.run == named.run else _settled(engine, named)
    return config.model_copy(update={"model": meant.model})


@contextmanager
def _other_runs(config: RunConfig) -> Iterator[tuple[Engine, Path]]:
    """Yield database and data directory where another run is looked up: neither is made for that."""
    home = config.checked_home() or default_home()
    elsewhere = config.database_url or os.environ.get("ADASTAR_DATABASE_URL")
    if not elsewhere and not ServerFiles.at(home).data.exists():
        raise RunConflictError(
            f"model = {config.model!r} names a run, and there is no database in {home} yet. Make that run first, or name the "
            "data directory that it is in."
        )
    engine, home = open_store(config)
    try:
        yield engine, home
    finally:
        engine.dispose()


def model_in(engine: Engine, home: Path, name: str) -> Path:
    """Return the directory of a model by its name, which may be a checkpoint of a run in this database.

    Raises:
        UserError: As in :func:`start_of`.
    """
    if (named := checkpoint_named(name)) is None:
        return resolve_model(name)
    meant = _settled(engine, named)
    stored = open_stored(engine, home, meant.run)
    if not meant.iteration:
        raise RunConflictError(
            f"model = {name!r} is the model that run {meant.run!r} started from. Name it: {stored.run.base_model}."
        )
    place = Path(stored.fetched(stored.checkpoint(meant.iteration)).path)
    # The path comes from the database: no row makes a run read outside the other run's directory.
    if not is_complete(place) or not place.resolve().is_relative_to(stored.folder.resolve()):
        raise CheckpointError(
            f"model = {name!r}: {place} is not there or holds no checkpoint. Restore it, or name another iteration "
            f"(`adastar show {meant.run}` lists them)."
        )
    return check_model(place)


def _settled(engine: Engine, named: NamedCheckpoint) -> NamedCheckpoint:
    """Return the checkpoint with its iteration: the best of a run that is finished, where none is named."""
    if named.iteration is not None:
        return named
    with engine.connect() as connection:
        found = find_overview(connection, named.run)
    if found is None:
        raise no_such_run(engine, named.run)
    if found.state != "finished":
        trouble = f"that run is not finished ({found.state}), so its best checkpoint may still change. Finish it first"
    elif not found.best_iteration:
        trouble = (
            f"none of its checkpoints is better than {found.base_model}, which it started from. Name that"
        )
    else:
        return replace(named, iteration=found.best_iteration)
    raise RunConflictError(f"model = {named.model!r}: {trouble}, or name an iteration ({named.model}:N).")


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


def store_key(folder: Path) -> str:
    """Return where the files of the run in this directory lie in the file store."""
    return f"runs/{folder.name}"


def checkpoint_key(folder: Path, checkpoint: CheckpointRow) -> str:
    """Return where a checkpoint of that run lies there. The digest tells apart what two machines may have trained."""
    return f"{store_key(folder)}/checkpoints/iteration-{checkpoint.iteration:04d}-{checkpoint.sha256[:16]}"
