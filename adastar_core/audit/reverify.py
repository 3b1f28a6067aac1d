"""Judges a run's stored rollouts again with another verifier, or another version of its own: ``adastar reverify``.

The new verdicts are stored next to the old ones, under their own verifier version. All queries of the loop ask for one
version, so statistics, training history and later iterations do not change. An iteration that another process is
sampling is skipped, because that process keeps in memory which attempts are judged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from adastar_core.errors import ConfigError, RunConflictError
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Attempt
from adastar_core.runs.judging import Judge, judge_stored
from adastar_core.runs.stored import StoredRun, open_stored
from adastar_core.store.disagreements import Change, Disagreement, read_changes, read_disagreements
from adastar_core.store.iterations import IterationRow, read_iterations
from adastar_core.store.locks import hold_run
from adastar_core.store.verdicts import JudgedAttempt, write_verdicts
from adastar_core.verifiers.batch import close_verifier
from adastar_core.verifiers.catalogue import VerifierName, open_verifier
from adastar_core.verifiers.custom import CustomVerifierSettings

OnIteration = Callable[[int, int | None], None]
"""Called with an iteration's number and how many of its rollouts were judged; ``None`` if it was skipped."""


@dataclass(frozen=True, slots=True)
class Reverification:
    """The verdicts of another verifier on a run's rollouts.

    Attributes:
        judged: Number of rollouts that it had not judged before.
        changes: How many rollouts went from which outcome to which, including those that did not change.
        examples: The first disagreements of every kind.
    """

    run: str
    verifier: str
    judged: int
    changes: tuple[Change, ...]
    examples: tuple[Disagreement, ...]

    @property
    def rollouts(self) -> int:
        return sum(change.rollouts for change in self.changes)

    @property
    def disagreements(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.old is not change.new)


def reverify(
    engine: Engine,
    name: str,
    verifier_name: VerifierName | CustomVerifierSettings | None = None,
    *,
    fall_back: bool = False,
    examples: int = 3,
    on_iteration: OnIteration | None = None,
) -> Reverification:
    """Judge every stored rollout of a run that the verifier has not judged yet, and compare.

    The run may be in progress. Without a name the verifier is the problem's own, in this version of the code.
    With ``fall_back`` it accepts the last number, letter, or yes or no where no answer is declared.
    ``examples`` disagreements of every kind are returned.

    Raises:
        RunConflictError: There is no such run.
        ConfigError: The verifier cannot fall back.
    """
    if fall_back and verifier_name is None:
        raise ConfigError(
            "fall_back (true) needs the name of a verifier that falls back, e.g. --verifier number."
        )
    stored = open_stored(engine, None, name)
    problem = open_problem(stored.config.problem)
    verifier = problem.verifier
    if verifier_name:
        verifier = open_verifier(verifier_name, fall_back=fall_back, key="verifier")
    judge = Judge.of(stored.config, problem, verifier)
    judged = 0
    try:
        for row in stored.read(read_iterations):
            new = _judge(stored, judge, row)
            judged += new or 0
            if on_iteration is not None:
                on_iteration(row.iteration, new)
    finally:
        close_verifier(verifier)
    versions = (verifier.version, problem.verifier.version)
    changes = stored.read(read_changes, *versions)
    disagreements = stored.read(read_disagreements, *versions, examples)
    return Reverification(name, verifier.version, judged, tuple(changes), tuple(disagreements))


def _judge(stored: StoredRun, judge: Judge, row: IterationRow) -> int | None:
    """Judge one iteration and return how many rollouts were new; ``None`` if another process is sampling it."""
    engine, run_id = stored.engine, stored.run_id

    def store(_attempts: Sequence[Attempt], judged: Sequence[JudgedAttempt], _left: int) -> None:
        with engine.begin() as connection:
            write_verdicts(connection, run_id, row.iteration, judged)

    if row.phase != "sampling":
        return judge_stored(engine, judge, run_id, row.iteration, stored.train, store)
    try:
        with hold_run(engine, run_id, stored.run.name):
            return judge_stored(engine, judge, run_id, row.iteration, stored.train, store)
    except RunConflictError:
        return None
