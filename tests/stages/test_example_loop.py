"""The flat script makes exactly the selections that the stages make."""

from pathlib import Path

from sqlalchemy import Engine

from adastar_core.runs.opening import open_workspace
from examples.loop import loop
from tests.support.runs import outcome_of, run_iteration, small_config


def test_the_flat_loop_selects_what_the_flow_selects(database: Engine, tmp_path: Path) -> None:
    config = small_config(database, tmp_path, "iterations=2", "problem.train=60")
    history = loop(config, tmp_path / "flat")
    with open_workspace(config, "stages") as workspace:
        for iteration in (1, 2):
            run_iteration(workspace, iteration)
        rows = outcome_of(database, workspace.run_id, "events", "training examples", "iterations")
    visited = [
        (t, rank, visit.position)
        for t, (selected, _, _) in enumerate(history, 1)
        for rank, visit in enumerate(selected.visits)
    ]
    trained = [
        (t, place, *key)
        for t, (selected, _, _) in enumerate(history, 1)
        for place, key in enumerate(selected.accepted)
    ]
    assert visited == [row[:3] for row in rows["events"]]
    assert trained == [row[:4] for row in rows["training examples"]]
    assert [stamped for _, stamped, _ in history] == [row[5] for row in rows["iterations"]]
