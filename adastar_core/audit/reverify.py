"""Judging a run's stored rollouts anew with another verifier, or another version of its own: ``adastar reverify``.

The new verdicts stand beside the old ones under their own verifier version. Each is what the run itself would
write with that verifier, and every query of the loop asks for one version, so statistics, training history
and the iterations to come are as if nothing had happened. An iteration that a process is sampling just now is left
out: that process remembers which attempts it has judged.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from adastar_core.config import RunConfig
from adastar_core.errors import ConfigError, RunConflictError
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Attempt, Observation
from adastar_core.runs.judging import Judge, judge_stored
from adastar_core.store.disagreements import Change, Disagreement, read_changes, read_disagreements
from adastar_core.store.iterations import IterationRow, read_iterations
from adastar_core.store.locks import hold_run
from adastar_core.store.observations import read_observations
from adastar_core.store.runs import Run, find_run, list_runs, read_run_config
from adastar_core.store.verdicts import JudgedAttempt, write_verdicts
from adastar_core.verifiers.batch import close_verifier
from adastar_core.verifiers.catalogue import VerifierName, open_verifier

Report = Callable[[int, int | None], None]
"""Takes an iteration's number and how many of its rollouts were judged; ``None`` when it was left out."""


@dataclass(frozen=True, slots=True)
class Reverification:
    """What a run's rollouts are by another verifier.

    Attributes:
        run: The run's name.
        verifier: The other verifier's name and version.
        judged: Rollouts that had no verdict of it before.
        changes: How many rollouts went from which outcome to which, those that stayed included.
        examples: The first disagreements of every kind.
    """

    run: str
    verifier: str
    judged: int
    changes: tuple[Change, ...]
    examples: tuple[Disagreement, ...]

    @property
    def rollouts(self) -> int:
        """Return how many rollouts have both verdicts."""
        return sum(change.rollouts for change in self.changes)

    @property
    def disagreements(self) -> tuple[Change, ...]:
        """Return the changes that are some."""
        return tuple(change for change in self.changes if change.old is not change.new)


def reverify(
    engine: Engine,
    name: str,
    verifier_name: VerifierName | None = None,
    *,
    fall_back: bool = False,
    examples: int = 3,
    report: Report | None = None,
) -> Reverification:
    """Judge every stored rollout of a run that the verifier has not judged yet, and compare.

    Args:
        engine: The database.
        name: The run's name. It may be in progress.
        verifier_name: The verifier; ``None`` takes the problem's own, as this version of the code has it.
        fall_back: Take the last number, letter, or yes or no where no answer is declared.
        examples: How many disagreements of every kind to return.
        report: Called after each iteration.

    Raises:
        ConfigError: There is no such run, or the verifier cannot fall back.
    """
    if fall_back and verifier_name is None:
        raise ConfigError(
            "fall_back (true) needs the name of a verifier that falls back, e.g. --verifier number."
        )
    run = _find(engine, name)
    with engine.connect() as connection:
        config = RunConfig.of_identity(read_run_config(connection, run.run_id))
        observations = read_observations(connection, run.dataset_id)
        iterations = read_iterations(connection, run.run_id)
    problem = open_problem(config.problem)
    verifier = open_verifier(verifier_name, fall_back=fall_back) if verifier_name else problem.verifier
    judge = Judge.of(config, problem, verifier)
    judged = 0
    try:
        for row in iterations:
            new = _judge(engine, run, judge, row, observations)
            judged += new or 0
            if report is not None:
                report(row.iteration, new)
    finally:
        close_verifier(verifier)
    versions = (verifier.version, problem.verifier.version)
    with engine.connect() as connection:
        changes = read_changes(connection, run.run_id, *versions)
        found = read_disagreements(connection, run.run_id, *versions, examples)
    return Reverification(name, verifier.version, judged, tuple(changes), tuple(found))


def _judge(
    engine: Engine, run: Run, judge: Judge, row: IterationRow, observations: Sequence[Observation]
) -> int | None:
    """Judge one iteration; ``None`` if a process is sampling it."""

    def store(_attempts: Sequence[Attempt], judged: Sequence[JudgedAttempt], _left: int) -> None:
        with engine.begin() as connection:
            write_verdicts(connection, run.run_id, row.iteration, judged)

    if row.phase != "sampling":
        return judge_stored(engine, judge, run.run_id, row.iteration, observations, store)
    try:
        with hold_run(engine, run.run_id, run.name):
            return judge_stored(engine, judge, run.run_id, row.iteration, observations, store)
    except RunConflictError:
        return None


def _find(engine: Engine, name: str) -> Run:
    run = find_run(engine, name)
    if run is None:
        names = [one.name for one in list_runs(engine)]
        near = difflib.get_close_matches(name, names, n=3) or names[-3:]
        known = f"nearest: {', '.join(near)}" if near else "this database has no runs"
        raise ConfigError(
            f"There is no run {name!r} in this database; {known}. Give its name, and --database or --home where it lies."
        )
    return run
