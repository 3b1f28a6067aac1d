"""Opens a run: checks everything, creates or continues it, owns it.

Tasks get a :class:`RunRef` and look the workspace up here, so that nothing large passes between them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from adastar_core.config import RunConfig
from adastar_core.config.access import check_access
from adastar_core.errors import AdaStarError, CheckpointError, ConfigError, DataError, HomeError, StageError
from adastar_core.generators.catalogue import check_engine
from adastar_core.machine.starter import Starter, system_user
from adastar_core.machine.threads import limit_threads
from adastar_core.machine.version import code_version
from adastar_core.models import checkpoints
from adastar_core.monitors.following import Monitors
from adastar_core.names import ANOTHER
from adastar_core.problems import Problem
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.progress import Display, Silent
from adastar_core.records import Data, Incident, Observation, Split
from adastar_core.runs.answers import answer_kind
from adastar_core.runs.asking import check_asking
from adastar_core.runs.ending import ExplainEnding, ending_of
from adastar_core.runs.guessing import check_guessing
from adastar_core.runs.lengths import check_room
from adastar_core.runs.numerics import formats_of, resolved
from adastar_core.runs.sharing import (
    check_shared,
    files_of_other_machines,
    remarks,
    share_earlier,
    usable_file_store,
)
from adastar_core.runs.stored import RunRef, StoredRun, open_store, pinned, start_of
from adastar_core.runs.workspace import Workspace
from adastar_core.store import checkpoints as rows
from adastar_core.store.incidents import ROUNDED_OTHERWISE
from adastar_core.store.lease import Lease, own_run
from adastar_core.store.numerics import read_numerics, write_numerics
from adastar_core.store.runs import Run, find_run, finish_run, kept_formats, start_or_continue
from adastar_core.verifiers.batch import close_verifier

_open: dict[str, Workspace] = {}


def workspace_of(run: RunRef) -> Workspace:
    """Return the workspace that is open in this process.

    Raises:
        StageError: None is.
    """
    if run.uid not in _open:
        raise StageError(
            f"Run {run.name!r} is not open in this process. Stages run inside open_workspace(...)."
        )
    return _open[run.uid]


@contextmanager
def open_workspace(
    config: RunConfig,
    name: str,
    *,
    preset: str = "",
    display: Display | None = None,
    explain: ExplainEnding = ending_of,
    starter: Callable[[], Starter] = system_user,
) -> Iterator[Workspace]:
    """Check everything, create the run or continue it, own it, and yield its workspace.

    A run that is already open in this process yields the same workspace. Nothing is written before the data, the
    model, the data directory and the database have been found usable. ``preset`` is where it came from. ``explain``
    tells from an error that leaves the block how the process ended, and ``starter`` who started it, which are recorded.

    Raises:
        UserError: Something is invalid, or another process owns the run.
    """
    config = pinned(config, name)
    for workspace in _open.values():
        meant = resolved(config, formats_of(workspace.config))
        if (workspace.ref.name, workspace.ref.config_sha256) == (name, meant.sha256()):
            yield workspace
            return
    with ExitStack() as stack:
        workspace = _prepare(config, name, preset, display or Silent(), stack, explain, starter)
        _open[workspace.ref.uid] = workspace
        try:
            with _ending_recorded(workspace.lease, explain):
                yield workspace
        except BaseException as error:
            if workspace.when_failed is not None and isinstance(error, Exception):
                with suppress(DBAPIError, AdaStarError, OSError):
                    workspace.when_failed()
            workspace.monitors.close("failed" if isinstance(error, (Exception, SystemExit)) else "killed")
            raise
        else:
            workspace.monitors.close("finished")
        finally:
            del _open[workspace.ref.uid]
            workspace.generators.close()
            close_verifier(workspace.problem.verifier)


@contextmanager
def _ending_recorded(lease: Lease, explain: ExplainEnding) -> Iterator[None]:
    """Record how the process ended where an error leaves the block, at once: what closes after it may take long."""
    try:
        yield
    except BaseException as error:
        ending = explain(error)
        with suppress(DBAPIError, StageError), lease.transaction() as connection:
            finish_run(connection, lease.run_id, ending.status, ending.reason)
        raise


def _prepare(
    config: RunConfig,
    name: str,
    preset: str,
    display: Display,
    stack: ExitStack,
    explain: ExplainEnding,
    starter: Callable[[], Starter],
) -> Workspace:
    # Everything that can be refused without a write comes first.
    check_access(config)
    Monitors(config, display.line)
    check_engine(config.generator)
    with files_of_other_machines(config, name):
        problem = open_problem(config.problem)
        answer_kind(config, problem)
        data = load_data(problem)
        model = start_of(config)
    _check_parts(config, problem, data.splits[Split.TRAIN], model)
    chat = prompted(problem, config.prompt, model, date.today())
    data = replace(data, notes=(*data.notes, *check_room(config, chat, data.splits, model)))
    meant = resolved(config)
    engine, home = open_store(config)
    stack.callback(engine.dispose)
    shared = usable_file_store(home)
    started = _as_started(engine, name, config)
    config = started or meant
    run, splits = start_or_continue(engine, name, config, data, code_version(), display.line)
    _refuse_fewer(engine, run, config)
    stored = StoredRun(engine, home, run, config)
    check_shared(stored)
    for line in remarks(stored, new=started is None):
        display.line(line)
    _make_folder(stored.folder)
    # A chat template may state the date: a continued run's prompts keep the day it was created.
    problem = prompted(problem, config.prompt, model, run.day)
    owned = own_run(
        engine,
        run,
        iterations=config.iterations,
        patience=config.patience,
        preset=preset,
        file_store=shared.address if shared else None,
        starter=starter(),
    )
    lease = stack.enter_context(owned)
    with _ending_recorded(lease, explain):
        monitors = Monitors(config, display.line)
        workspace = Workspace(engine, home, run, config, lease, problem, splits, model, display, monitors)
        limit_threads(workspace.parameters)
        _record_start(workspace)
        share_earlier(workspace)
        monitors.open(name, run.uid, workspace.folder)
    return workspace


def _check_parts(config: RunConfig, problem: Problem, train: Sequence[Observation], model: Path) -> None:
    """Refuse a filter, a sampler or an adapter that does not fit the data or the model."""
    check_guessing(config, train)
    check_asking(config, problem, train)
    config.sampler.check(config.seed, train)
    if config.trainer.lora.rank is not None:
        from adastar_core.trainers.lora import trained_parameters

        trained_parameters(model, config.trainer)  # refuses modules that cannot have an adapter


def _as_started(engine: Engine, name: str, config: RunConfig) -> RunConfig | None:
    """Return the configuration in the number formats that the run of this name keeps; ``None`` if there is none yet."""
    if (run := find_run(engine, name)) is None:
        return None
    with engine.connect() as connection:
        return resolved(config, kept_formats(connection, run))


def _refuse_fewer(engine: Engine, run: Run, config: RunConfig) -> None:
    """Refuse fewer iterations than the run has trained: its result would be selected among some of them only."""
    with engine.connect() as connection:
        done = rows.newest_checkpoint(connection, run.run_id)
    if done > config.iterations:
        raise ConfigError(
            f"iterations is {config.iterations}, and run {run.name!r} has trained {done} already. It can only be raised: "
            f"{done} show the result, more of them resume the run. For a new one, {ANOTHER}."
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(
            f"The run's directory {folder} cannot be created: {error}. Choose another home."
        ) from error


def _record_start(workspace: Workspace) -> None:
    """Record the base model as checkpoint 0, and how this process rounds; report what may change last digits.

    Raises:
        CheckpointError: The run was started from a model with other files.
    """
    base, run_id, ours = workspace.base, workspace.run_id, workspace.numerics
    digest = checkpoints.digest_of(base)
    _require_origin(workspace, digest)
    size_bytes = sum(path.stat().st_size for path in base.rglob("*") if path.is_file())
    row = rows.CheckpointRow(0, None, str(base), digest, size_bytes, workspace.parameters)
    with workspace.lease.transaction() as connection:
        rows.write_checkpoint(connection, run_id, row, workspace.folder)
        earlier = list(read_numerics(connection, run_id).values())
        write_numerics(connection, run_id, workspace.lease.epoch, ours)
        newest = rows.newest_checkpoint(connection, run_id)
    if earlier and (differences := ours.differences(earlier[-1])):
        detail = f"{'; '.join(differences)}. From here on last digits may differ from those of one undisturbed process"
        workspace.record_incident(newest, Incident(ROUNDED_OTHERWISE, detail))


def _require_origin(workspace: Workspace, digest: str) -> None:
    """Refuse a run from another run's checkpoint whose files are not those that were recorded, with a ``CheckpointError``."""
    if (origin := workspace.origin) is not None and origin[1].sha256 != digest:
        raise CheckpointError(
            f"model = {workspace.config.model!r}: the files in {origin[1].path} have the digest {digest}, and the recorded one "
            f"is {origin[1].sha256}. Restore them, or start from another model."
        )


def load_data(problem: Problem) -> Data:
    """Return every split of a problem, and the notes on them.

    Raises:
        DataError: A split is empty, or broken in a way that the problem's loader names.
    """
    splits = {split: problem.load(split) for split in Split}
    if empty := [split for split, observations in splits.items() if not observations]:
        raise DataError(
            f"problem {problem.name}: the {empty[0]} split is empty. Give it at least one observation."
        )
    return Data(splits, problem.everything(), problem.notes)
