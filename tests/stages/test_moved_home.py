"""A data directory under another path: the run continues, and every command finds its files."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.audit.collect import removable, removable_tokens, remove
from adastar_core.audit.lineage import trace
from adastar_core.audit.reports import rewrite_report
from adastar_core.audit.verify import verify
from adastar_core.config import RunConfig
from adastar_core.errors import CheckpointError, HomeError
from adastar_core.models.source import resolve_model
from adastar_core.postgres.server import start_local_postgres, stop_local_postgres
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import open_stored
from adastar_core.store.database import find_database, open_database
from tests.support.runs import outcome_of, run_iteration, small_config


def work(config: RunConfig, *iterations: int) -> tuple[int, Path]:
    """Run these iterations; return the run's number and its directory."""
    with open_workspace(config, "run") as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        for iteration in iterations:
            run_iteration(workspace, iteration)
        return workspace.run_id, workspace.folder


@pytest.mark.parametrize("recorded", ["as it is", "as early versions did"])
def test_a_run_continues_and_is_audited_where_its_directory_lies_now(
    database: Engine, tmp_path: Path, recorded: str
) -> None:
    there, here = tmp_path / "there", tmp_path / "elsewhere" / "here"
    _, old = work(small_config(database, there), 1, 2)
    if recorded == "as early versions did":
        with database.begin() as connection:
            whole = text("UPDATE checkpoints SET path = :folder || '/' || path WHERE iteration > 0")
            connection.execute(whole, {"folder": str(old)})
    here.parent.mkdir()
    shutil.move(there, here)
    with database.begin() as connection:  # the packaged model of another installation
        connection.execute(text("UPDATE checkpoints SET path = '/gone' WHERE iteration = 0"))

    _, folder = work(small_config(database, here), 3)
    assert not there.exists()
    stored = open_stored(database, here, "run")
    assert [one.violation for one in verify(stored) if one.violation] == []
    chain = trace(database, here, "run:3").chain
    assert all(Path(one.path).is_dir() for one in chain)
    assert Path(chain[0].path).is_relative_to(here)
    by_directory = trace(database, here, str(folder / "checkpoints" / "iteration-0002"))
    assert by_directory.chain[0] == chain[1]
    report, files = rewrite_report(stored)
    assert Path(report.checkpoint).is_dir()
    assert all(path.is_relative_to(here) for path in files.values())
    found = removable(stored, None)
    assert all(one.path.is_relative_to(here) for one in found)
    remove(stored, found, removable_tokens(stored, None))
    assert [one.violation for one in verify(stored) if one.violation] == []


def test_a_data_directory_that_is_not_the_runs_is_refused_before_anything_is_done(
    database: Engine, tmp_path: Path
) -> None:
    """As on a second machine that shares the database and not the files."""
    number, _ = work(small_config(database, tmp_path / "first"), 1)
    before = outcome_of(database, number)
    expected = r"checkpoint of iteration 1, and .*second.*is missing.*--set home=DIRECTORY.*every machine"
    with pytest.raises(HomeError, match=expected):
        work(small_config(database, tmp_path / "second"), 2)
    assert not (tmp_path / "second" / "runs").exists()
    assert outcome_of(database, number) == before
    work(small_config(database, tmp_path / "first"), 2)


def test_a_base_model_with_other_files_under_the_same_name_is_refused(
    database: Engine, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(resolve_model("tiny-adder"), model)
    config = small_config(database, tmp_path / "home", f"model={model}")
    work(config)
    (model / "notes.txt").write_text("of another machine")
    with pytest.raises(CheckpointError, match=r"Iteration 0 has a recorded checkpoint .* with digest"):
        work(config)


def test_the_local_database_moves_with_its_data_directory(make_home: Callable[[], Path]) -> None:
    home, moved = make_home(), make_home()
    start_local_postgres(home, durable=False)
    open_database(None, home).dispose()
    stop_local_postgres(home)
    for one in home.iterdir():
        shutil.move(one, moved)
    engine = find_database(None, moved)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0
    engine.dispose()
