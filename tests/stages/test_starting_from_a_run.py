"""``model: run:NAME``: a run that starts from another run's best checkpoint, keeps it, and says where it came from."""

import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.audit.collect import removable
from adastar_core.audit.drop import droppable
from adastar_core.audit.lineage import trace
from adastar_core.audit.verify import verify
from adastar_core.config.access import check_access
from adastar_core.config.files import resolve
from adastar_core.errors import AdaStarError, CheckpointError, RunConflictError
from adastar_core.machine.confine import CONFINED
from adastar_core.names import NamedCheckpoint, checkpoint_named
from adastar_core.planning.plan import plan_of
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import StoredRun, open_stored
from adastar_core.store.runs import finish_run
from flows.commandline import dry_run
from tests.support.runs import run_iteration, small_config


def work(
    engine: Engine, home: Path, name: str, *overrides: str, iterations: tuple[int, ...] = (1,)
) -> StoredRun:
    with open_workspace(small_config(engine, home, *overrides), name) as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        for iteration in iterations:
            run_iteration(workspace, iteration)
    return open_stored(engine, home, name)


def finish(engine: Engine, stored: StoredRun, best: int) -> None:
    """End a run, with validation accuracies by which this iteration is the best."""
    with engine.begin() as connection:
        scores = "UPDATE evaluations SET correct = CASE WHEN iteration = :best THEN 9 ELSE 3 END WHERE run_id = :run"
        connection.execute(text(scores), {"best": best, "run": stored.run_id})
        finish_run(connection, stored.run_id, "finished")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("run:warm", NamedCheckpoint("warm", None)),
        ("run:warm:12", NamedCheckpoint("warm", 12)),
        ("run:a:b", NamedCheckpoint("a:b", None)),
        ("run:a:b:0", NamedCheckpoint("a:b", 0)),
        ("run:7", NamedCheckpoint("7", None)),
        ("run:", NamedCheckpoint("", None)),
        ("runs/warm", None),
        ("./run:warm", None),
    ],
)
def test_a_model_names_a_checkpoint_by_its_prefix(model: str, expected: NamedCheckpoint | None) -> None:
    found = checkpoint_named(model)
    assert found == expected
    assert found is None or found.model == model


def test_a_run_starts_from_the_best_checkpoint_of_another_and_keeps_it(
    database: Engine, tmp_path: Path
) -> None:
    first = work(database, tmp_path, "first", iterations=(1, 2))
    finish(database, first, best=1)
    assert plan_of(small_config(database, tmp_path, "model=run:first")).parameters > 0
    second = work(database, tmp_path, "second", "model=run:first")
    assert second.run.base_model == "run:first:1"
    assert second.checkpoint(0).sha256 == first.checkpoint(1).sha256
    assert Path(second.checkpoint(0).path) == Path(first.checkpoint(1).path)
    assert second.root == first.base
    said = Console(file=StringIO(), width=200)
    dry_run(small_config(database, tmp_path, "model=run:first"), "another", None, None, said)
    assert isinstance(said.file, StringIO)
    assert "as the run second did here" in said.file.getvalue()

    finish(database, first, best=2)
    work(database, tmp_path, "second", "model=run:first", iterations=(1, 2))
    assert open_stored(database, tmp_path, "second").run.base_model == "run:first:1"
    assert work(database, tmp_path, "third", "model=run:first").run.base_model == "run:first:2"


def test_the_first_run_may_be_continued_meanwhile(database: Engine, tmp_path: Path) -> None:
    first = work(database, tmp_path, "first")
    finish(database, first, best=1)
    work(database, tmp_path, "second", "model=run:first")
    with database.begin() as connection:
        connection.execute(text("UPDATE runs SET status = 'running' WHERE name = 'first'"))
    work(database, tmp_path, "second", "model=run:first", iterations=(1, 2))


def test_lineage_goes_on_to_what_the_other_run_trained_on(database: Engine, tmp_path: Path) -> None:
    finish(database, work(database, tmp_path, "first"), best=1)
    second = work(database, tmp_path, "second", "model=run:first:1")
    found = trace(database, tmp_path, "second:1")
    assert [one.iteration for one in found.chain] == [1, 0]
    assert found.origin is not None
    assert found.origin.stored.run.name == "first"
    assert [one.iteration for one in found.origin.chain] == [1, 0]
    assert found.origin.chain[0].sha256 == found.chain[1].sha256
    assert len(list(found.origin.examples())) > 0
    assert found.origin.origin is None
    assert [one.violation for one in verify(second) if one.violation] == []


def test_what_another_run_started_from_is_neither_dropped_nor_collected(
    database: Engine, tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    first = work(database, here, "first", iterations=(1, 2, 3))
    finish(database, first, best=2)
    work(database, here, "second", "model=run:first:1")
    assert not [one for one in removable(first, None) if one.sha256]
    with pytest.raises(RunConflictError, match=r"'second' started from .*iteration-0001.* Drop run 'second'"):
        droppable(first)
    shutil.move(here, there)
    moved = open_stored(database, there, "first")
    assert not [one for one in removable(moved, None) if one.sha256]
    with pytest.raises(RunConflictError, match="'second' started from"):
        droppable(moved)
    second = work(database, there, "second", "model=run:first:1", iterations=(1, 2))
    assert Path(second.checkpoint(0).path).is_relative_to(there)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("run:nobody", "no run 'nobody' in this database; nearest: first|this database has no"),
        ("run:first:7", "no checkpoint of iteration 7"),
        ("run:first:0", "is the model that run 'first' started from. Name it: tiny-adder"),
        ("run:first", r"that run is not finished \((created|running|crashed)\)"),
    ],
)
def test_what_names_no_settled_checkpoint_is_refused(
    database: Engine, tmp_path: Path, model: str, message: str
) -> None:
    work(database, tmp_path, "first")
    with pytest.raises(AdaStarError, match=message):
        work(database, tmp_path, "second", f"model={model}")
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 1


def test_a_run_without_a_better_checkpoint_than_its_base_is_refused(database: Engine, tmp_path: Path) -> None:
    finish(database, work(database, tmp_path, "first"), best=0)
    with pytest.raises(
        RunConflictError, match=r"none of its checkpoints is better than tiny-adder.*run:first:N"
    ):
        work(database, tmp_path, "second", "model=run:first")


def test_files_that_are_gone_or_are_not_the_recorded_ones_are_refused(
    database: Engine, tmp_path: Path
) -> None:
    first = work(database, tmp_path, "first")
    place = Path(first.checkpoint(1).path)
    config = place / "config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(CheckpointError, match="the recorded one is"):
        work(database, tmp_path, "second", "model=run:first:1")
    shutil.rmtree(place)
    with pytest.raises(CheckpointError, match="is not there or holds no checkpoint"):
        work(database, tmp_path, "third", "model=run:first:1")
    with database.begin() as connection:  # a row that leads elsewhere
        outside = tmp_path / "outside"
        shutil.copytree(first.base, outside)
        (outside / "manifest.json").write_text("{}")
        row = "UPDATE checkpoints SET path = :path WHERE iteration = 1"
        connection.execute(text(row), {"path": str(outside)})
    with pytest.raises(CheckpointError, match="is not there or holds no checkpoint"):
        work(database, tmp_path, "third", "model=run:first:1")


def test_no_database_is_made_to_look_a_run_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADASTAR_DATABASE_URL", raising=False)
    config = resolve({"model": "run:first", "home": str(tmp_path / "home")})
    with pytest.raises(RunConflictError, match=r"there is no database in .* yet"):
        plan_of(config)
    assert not (tmp_path / "home").exists()


def test_a_confined_process_may_name_a_run(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(database, work(database, tmp_path, "first"), best=1)
    monkeypatch.setenv(CONFINED, "1")
    monkeypatch.setenv("ADASTAR_HOME", str(tmp_path))
    url = database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("ADASTAR_DATABASE_URL", url)
    config = small_config(database, tmp_path, "model=run:first").model_copy(update={"database_url": None})
    check_access(config)
    with open_workspace(config, "second") as workspace:
        assert workspace.run.base_model == "run:first:1"
