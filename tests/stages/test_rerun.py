"""The nightly rule: the named run resumes if it is not finished."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adastar_core.config import RunConfig
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError
from adastar_core.runs.nightly import nightly
from adastar_core.runs.opening import open_workspace
from adastar_core.store.runs import finish_run
from tests.support.runs import run_iteration, small_config

TODAY = date(2026, 11, 23)


def config_of(database: Engine, folder: Path, rows: int, *overrides: str) -> RunConfig:
    """Return a configuration whose table has this many rows."""
    data = folder / "sums.jsonl"
    lines = [f'{{"id": "{n}", "question": "{n}+1", "answer": "{n + 1}"}}\n' for n in range(rows)]
    data.write_text("".join(lines))
    values: dict[str, object] = {
        "problem": {"type": "table", "path": str(data), "id": "id"},
        "iterations": 2,
        "database_url": database.url.render_as_string(hide_password=False),
        "home": str(folder / "home"),
    }
    return resolve(values, overrides)


def work(config: RunConfig, name: str, *, finish: bool) -> None:
    """Make the run, finished or not."""
    with open_workspace(config, name) as workspace:
        if finish:
            with workspace.lease.transaction() as connection:
                finish_run(connection, workspace.run_id, "finished")


def test_the_rule(database: Engine, tmp_path: Path) -> None:
    config = config_of(database, tmp_path, 60)
    assert nightly(config, "mine", TODAY) == (config, "mine")  # there is no such run yet

    work(config, "mine", finish=False)
    assert nightly(config, "mine", TODAY) == (config, "mine")  # it was interrupted

    work(config, "mine", finish=True)
    assert nightly(config, "mine", TODAY) == (config, "mine-2026-11-23")  # nothing is left to do

    raised = config_of(database, tmp_path, 60, "iterations=5")
    assert nightly(raised, "mine", TODAY) == (raised, "mine")

    other = config_of(database, tmp_path, 60, "attempts=4")
    assert nightly(other, "mine", TODAY) == (other, "mine-2026-11-23")  # another configuration

    grown = config_of(database, tmp_path, 80)
    longer, name = nightly(grown, "mine", TODAY)
    assert (longer.iterations, name) == (3, "mine")

    work(longer, "mine", finish=False)  # killed on its way, and retried
    assert nightly(grown, "mine", TODAY) == (longer, "mine")

    work(longer, "mine", finish=True)
    work(grown, "other", finish=True)
    assert nightly(grown, "mine", TODAY) == (
        grown,
        "mine-2026-11-23",
    )  # new validation rows are none of its business


def test_iterations_that_are_trained_cannot_be_taken_back(database: Engine, tmp_path: Path) -> None:
    """The result would be selected among some of them only, and replace the one that was reported."""
    with open_workspace(small_config(database, tmp_path, "iterations=2"), "mine") as workspace:
        run_iteration(workspace, 1)
        run_iteration(workspace, 2)
    fewer = small_config(database, tmp_path, "iterations=1")
    with (
        pytest.raises(ConfigError, match="iterations is 1, and run 'mine' has trained 2 already"),
        open_workspace(fewer, "mine"),
    ):
        pass
    with open_workspace(small_config(database, tmp_path, "iterations=3"), "mine") as workspace:
        assert workspace.config.iterations == 3
