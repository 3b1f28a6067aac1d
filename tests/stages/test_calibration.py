"""A run's report says how well its sampler predicted, from what is stored."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.records import Split
from adastar_core.report.build import report_of, whole_report_of
from adastar_core.report.page import html
from adastar_core.report.summary import summary
from adastar_core.report.text import markdown
from adastar_core.runs.opening import open_workspace
from adastar_core.samplers import Predicting
from tests.support.runs import run_iteration, small_config

FIRST = text(
    "SELECT e.position, v.outcome = 'right' FROM observation_events e JOIN verdicts v USING (run_id, iteration, position) "
    "WHERE run_id = :run AND iteration = 2 AND v.attempt = 1 ORDER BY e.rank"
)


@pytest.mark.parametrize("sampler", ["thompson", "mopps", "gps", "frontier"])
def test_a_sampler_that_predicts_is_judged_by_first_attempts(
    database: Engine, tmp_path: Path, sampler: str
) -> None:
    config = small_config(database, tmp_path, f"sampler={sampler}", "iterations=2")
    with open_workspace(config, sampler) as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        assert (
            whole_report_of(workspace, 1).calibration is None
        )  # nothing was known before the first iteration
        at_work = workspace.sampler(2)
        assert isinstance(at_work, Predicting)
        foretold = at_work.predict()
        run_iteration(workspace, 2)
        workspace.forget_sampler()
        report = whole_report_of(workspace, 2)
        with database.connect() as connection:
            visits = connection.execute(FIRST, {"run": workspace.run_id}).all()
    chances = np.array([foretold[position] for position, _ in visits])
    right = np.array([outcome for _, outcome in visits])
    found = report.calibration
    assert found is not None
    row = report.iterations[1]
    assert (found.attempts, found.base_rate) == (row.m, row.first_try_accuracy)
    assert found.brier == pytest.approx(float(np.mean((chances - right) ** 2)))
    assert found.base_brier == pytest.approx(found.base_rate * (1 - found.base_rate))
    assert [one.t for one in found.iterations] == [2]
    told = summary(report)["calibration"]
    assert isinstance(told, dict)
    assert (told["brier"], sum(one["attempts"] for one in told["bins"])) == (found.brier, row.m)
    for page in (markdown(report), html(report, ())):
        assert "Brier score" in page
        assert "mean predicted" in page


def test_a_sampler_that_predicts_nothing_has_no_calibration(database: Engine, tmp_path: Path) -> None:
    with open_workspace(small_config(database, tmp_path, "iterations=2"), "adastar") as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        for iteration in (1, 2):
            run_iteration(workspace, iteration)
        report = whole_report_of(workspace, 2)
    assert report == report_of(workspace, 2)
    assert summary(report)["calibration"] is None
    assert "Calibration" not in markdown(report)
