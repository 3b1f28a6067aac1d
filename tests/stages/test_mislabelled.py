"""A report says what a run did with the observations whose reference is wrong. Responses come from a script."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from adastar_core import stages
from adastar_core.problems.arithmetic import parse_question
from adastar_core.records import GenerationRequest, Split
from adastar_core.report.build import report_of
from adastar_core.report.summary import summary
from adastar_core.runs.opening import open_workspace
from tests.support.runs import run_iteration, small_config
from tests.support.scripted import ScriptedGenerator


def test_the_shares_of_visits_and_of_accepted_rationales_are_what_happened(
    database: Engine, tmp_path: Path
) -> None:
    """Every third observation is answered by its reference, the others by their true sum."""
    config = small_config(database, tmp_path, "problem.wrong_references=0.4", "attempts=1")
    with open_workspace(config, "noisy") as workspace:
        sums = [parse_question(one.question) for one in workspace.train]
        right = [str(one.a + one.b) for one in sums]
        given = [one.answer if place % 3 == 0 else right[place] for place, one in enumerate(workspace.train)]

        def script(request: GenerationRequest) -> str:
            return (
                f"{sums[request.position].question}\n#### {given[request.position] if request.stream else 0}"
            )

        workspace.generators.use(ScriptedGenerator(script))
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        report = report_of(workspace, 1)
        wrong = {place for place, one in enumerate(workspace.train) if one.answer != right[place]}
        with database.connect() as connection:
            query = "SELECT position, accepted FROM observation_events WHERE run_id = %(run)s"
            visits = connection.exec_driver_sql(query, {"run": workspace.run_id}).all()
    (row,) = report.iterations
    theirs = [accepted for position, accepted in visits if position in wrong]
    assert 0 < sum(theirs) < len(theirs) < row.m
    assert row.mislabelled_visit_share == pytest.approx(len(theirs) / row.m)
    assert row.mislabelled_accepted_share == pytest.approx(sum(theirs) / row.accepted)
    note = report.notes[0]
    assert note.startswith(f"{len(wrong)} of {len(right)} training references (")
    assert f"Of the visits {100 * len(theirs) / row.m:.1f} % went to them" in note
    assert f"of the accepted rationales {100 * sum(theirs) / row.accepted:.1f} %" in note
    values = summary(report)["iterations"]
    assert isinstance(values, list)
    assert values[0]["mislabelled_visit_share"] == row.mislabelled_visit_share


def test_a_run_without_wrong_references_says_nothing(database: Engine, tmp_path: Path) -> None:
    with open_workspace(small_config(database, tmp_path, "attempts=1"), "clean") as workspace:
        workspace.generators.use(
            ScriptedGenerator(lambda one: f"a step\n#### {workspace.train[one.position].answer}")
        )
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        report = report_of(workspace, 1)
    assert report.iterations[0].mislabelled_visit_share is None
    assert report.iterations[0].mislabelled_accepted_share is None
    assert not any("wrong" in note for note in report.notes)
