"""Right rationales that guessing explains: out of D+ with their reason, wherever a run is looked at."""

from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core.audit.verify import CHECKS, verify
from adastar_core.errors import NothingAccepted
from adastar_core.records import GenerationRequest, Split
from adastar_core.report.build import report_of
from adastar_core.runs.workspace import Workspace
from adastar_core.stages import evaluate, generate, sample
from adastar_core.stages import verify as judge
from adastar_core.store import iterations
from tests.stages.test_controls import opened
from tests.support.runs import outcome_of, run_iteration
from tests.support.scripted import ScriptedGenerator

GUESSING = ("attempts=4", "attempt_mode=independent", "filter.guessing=0.05")
"""Among three classes, 4 right attempts of 4 pass (p = 0.012); 3 do not (p = 0.11)."""

SELECTED = ("statistics", "events", "training examples", "iterations")


def answer(workspace: Workspace, one: GenerationRequest) -> str:
    """Every third observation is right in all attempts, the others in two."""
    reference = workspace.train[one.position].answer
    knows = one.position % 3 == 0 or one.attempt <= 2
    return f"Clearly. #### {reference if knows else (int(reference) + 1) % 3}"


def script(workspace: Workspace) -> ScriptedGenerator:
    return ScriptedGenerator(lambda one: answer(workspace, one) if one.stream else "Clearly. #### 1")


def test_the_reason_is_stored_and_everything_agrees(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "guessing", *GUESSING) as workspace:
        workspace.generators.use(script(workspace))
        evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        with database.connect() as connection:
            query = "SELECT DISTINCT v.position % 3 = 0, rejected_by, rejected_because FROM verdicts v WHERE outcome = 'right' ORDER BY 1"
            stored = [tuple(row) for row in connection.execute(text(query))]
            events = connection.execute(
                text("SELECT position, attempts, correct, accepted FROM observation_events")
            ).all()
        report = report_of(workspace, 1)
        checked = list(verify(workspace))
    reason = "2 of 4 attempts right is what guessing among 3 answers gives (p = 0.41, above 0.05)"
    assert stored == [(False, "guessing", reason), (True, None, None)]
    assert {
        (attempts, correct, accepted) for position, attempts, correct, accepted in events if position % 3
    } == {(4, 2, 0)}
    assert {
        (attempts, correct, accepted) for position, attempts, correct, accepted in events if not position % 3
    } == {(4, 4, 4)}
    (row,) = report.iterations
    assert row.accepted == row.beta
    assert row.rejected == sum(correct for position, _, correct, _ in events if position % 3) > 0
    assert f"{row.rejected} guessing." in " ".join(report.notes)
    assert len(checked) == len(CHECKS)
    assert [one.violation for one in checked] == [None] * len(CHECKS)


def test_a_run_that_is_killed_in_any_phase_selects_the_same(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also between the rejections, which are stored first, and the end of the iteration's sampling."""
    small = (*GUESSING, "generator.batch_size=8")
    with opened(database, tmp_path, "whole", *small) as workspace:
        workspace.generators.use(script(workspace))
        run_iteration(workspace, 1)
    whole = outcome_of(database, workspace.run_id, *SELECTED)
    wave, closed = 0, False
    with monkeypatch.context() as patched:
        patched.setattr(iterations, "close_sampling", killed)
        while not closed:
            with suppress(KeyboardInterrupt), opened(database, tmp_path, "killed", *small) as workspace:
                workspace.generators.use(script(workspace))
                closed = True  # unless a wave is left
                assert not sample(workspace, 1, wave).closed
                generate(workspace, 1, wave)
                judge(workspace, 1, wave)
                wave, closed = wave + 1, False
    assert wave > 1
    with opened(database, tmp_path, "killed", *small) as workspace:
        workspace.generators.use(script(workspace))
        assert any(one.rejected for judged in workspace.results.of(1).values() for one in judged)
        run_iteration(workspace, 1)
    assert outcome_of(database, workspace.run_id, *SELECTED) == whole


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_where_guessing_explains_all_the_reasons_are_there_to_be_looked_at(
    database: Engine, tmp_path: Path
) -> None:
    with opened(database, tmp_path, "luck", *GUESSING) as workspace:
        guess = ScriptedGenerator(
            lambda one: f"Clearly. #### {workspace.train[one.position].answer if one.attempt == 1 else 9}"
        )
        workspace.generators.use(guess)
        with pytest.raises(
            NothingAccepted, match=r"rejected all \d+ right answers.*rollouts luck --rejected"
        ):
            run_iteration(workspace, 1)
        with database.connect() as connection:
            counts = connection.execute(
                text("SELECT rejected_by, count(*) FROM verdicts WHERE outcome = 'right' GROUP BY 1")
            ).all()
            made = len(workspace.train)
    assert [tuple(row) for row in counts] == [("guessing", made)]
