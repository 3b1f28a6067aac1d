"""The verifier's version changes between two processes of a run, as an upgraded library changes it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.audit.verify import verify
from adastar_core.config import RunConfig
from adastar_core.generators import Decoding, Generator
from adastar_core.records import (
    Attempt,
    FinishReason,
    GenerationRequest,
    Observation,
    Outcome,
    Split,
    Verdict,
)
from adastar_core.report.build import report_of
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import open_stored
from adastar_core.runs.workspace import Workspace
from adastar_core.store.evaluations import read_evaluations
from adastar_core.store.iterations import read_iterations
from adastar_core.verifiers.number import NumberVerifier
from tests.support.runs import outcome_of, run_iteration, small_config

OLD, NEW = NumberVerifier().version, "number/99"
BEFORE = ("statistics", "events", "training examples", "accepted rollouts", "iterations", "checkpoints")
Steps = Sequence[Callable[[Workspace], object]]

WAVE: Steps = (
    lambda one: stages.sample(one, 1, 0),
    lambda one: stages.generate(one, 1, 0),
    lambda one: stages.verify(one, 1, 0),
)
CLOSE: Steps = (lambda one: close_sampling(one),)
REST: Steps = (
    lambda one: stages.finetune(one, 1),
    lambda one: stages.evaluate(one, 1, Split.VALIDATION),
    lambda one: stages.advance(one, 1),
)
PHASES: dict[str, Steps] = {
    "planned": WAVE[:1],
    "generated": WAVE[:2],
    "judged": WAVE,
    "sampled": CLOSE,
    "trained": (*CLOSE, *REST[:1]),
    "evaluated": (*CLOSE, *REST[:2]),
    "advanced": (*CLOSE, *REST),
}
"""What the old version did before the new one took over."""


def close_sampling(workspace: Workspace) -> None:
    wave = 0
    while not stages.sample(workspace, 1, wave).closed:
        stages.generate(workspace, 1, wave)
        stages.verify(workspace, 1, wave)
        wave += 1


@contextmanager
def upgraded() -> Iterator[None]:
    """Judge by another version, which finds fault with answers that end in 7."""
    before = NumberVerifier.verify

    def judge(
        verifier: NumberVerifier, observation: Observation, response: str, finish_reason: FinishReason
    ) -> Verdict:
        verdict = before(verifier, observation, response, finish_reason)
        harsh = verdict.outcome is Outcome.RIGHT and observation.answer.endswith("7")
        return replace(verdict, outcome=Outcome.WRONG) if harsh else verdict

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NumberVerifier, "version", property(lambda _: NEW))
        patch.setattr(NumberVerifier, "verify", judge)
        yield


def run(config: RunConfig, name: str, steps: Steps) -> int:
    """Take these steps in a process's turn at a run; return its number."""
    with open_workspace(config, name) as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        for step in steps:
            step(workspace)
        return workspace.run_id


@pytest.fixture
def config(database: Engine, tmp_path: Path) -> RunConfig:
    return small_config(database, tmp_path, "problem.train=60", "schedule.first_steps=2", "iterations=2")


def test_a_change_in_any_phase_of_an_iteration_leaves_it_whole(
    config: RunConfig, database: Engine, tmp_path: Path
) -> None:
    """One version selects all of an iteration, and the run is what that version alone makes of it."""
    old = outcome_of(database, run(config, "old", (*CLOSE, *REST)), *BEFORE)
    with upgraded():
        new = outcome_of(database, run(config, "new", (*CLOSE, *REST)), *BEFORE)
    assert old["training examples"] != new["training examples"]
    for phase, steps in PHASES.items():
        number = run(config, phase, steps)
        with upgraded():
            run(config, phase, (*CLOSE, *REST))
            selected = NEW if steps[-1] in WAVE else OLD
            assert outcome_of(database, number, *BEFORE) == (new if selected == NEW else old), phase
            with open_workspace(config, phase) as workspace:
                run_iteration(workspace, 2)
                notes = " ".join(report_of(workspace, best=0).notes)
            assert [
                one.violation for one in verify(open_stored(database, tmp_path, phase)) if one.violation
            ] == []
        with database.connect() as connection:
            assert [one.verifier for one in read_iterations(connection, number)] == [selected, NEW]
            base = read_evaluations(connection, number)[0]
        assert (base.iteration, base.verifier) == (0, OLD)
        assert (
            f"{OLD} (rationales of iterations: {'none' if selected == NEW else '1'}; evaluations of" in notes
        )
        assert ("Iteration 1 was judged again, 1 time" in notes) == (selected == NEW), phase


class _Interrupted(Exception):
    """The process ends here."""


def test_an_evaluation_that_was_begun_by_another_version_is_given_again(
    config: RunConfig, database: Engine
) -> None:
    """Verdicts of two versions are never added up, nor copied to another run as those of one."""

    class Breaking:
        """Ends the process at the second batch."""

        def __init__(self, inner: Generator) -> None:
            self.inner, self.batches = inner, 0

        def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
            self.batches += 1
            if self.batches == 2:
                raise _Interrupted
            return self.inner.generate(requests, decoding)

        def close(self) -> None:
            """End what it wraps."""
            self.inner.close()

    with suppress(_Interrupted), open_workspace(config, "mine") as workspace:
        workspace.generators.use(Breaking(workspace.generator(workspace.checkpoint(0))))
        stages.evaluate(workspace, 0, Split.VALIDATION)
    with database.connect() as connection:
        begun = connection.scalar(text("SELECT count(*) FROM evaluation_answers"))
    assert 0 < begun < config.problem.validation
    with upgraded():
        run(config, "whole", ())
        run(config, "mine", ())
        with database.connect() as connection:
            whole, mine = (read_evaluations(connection, number)[0] for number in (2, 1))
            (incident,) = connection.scalars(text("SELECT detail FROM incidents")).all()
    assert (mine.accuracy, mine.undecided, mine.verifier) == (whole.accuracy, whole.undecided, NEW)
    assert incident.startswith(f"{begun} validation answers are given again")
