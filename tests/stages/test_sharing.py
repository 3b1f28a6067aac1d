"""What is said when a run opens on a machine that lacks what the machines must share, and what is shared later."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.config import RunConfig
from adastar_core.config.access import check_access
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError, DataError, FileStoreError, HomeError, ModelError
from adastar_core.machine.confine import CONFINED
from adastar_core.models.filestore import VARIABLE, store_at
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import StoredRun, open_stored
from tests.support.runs import SMALL, run_iteration, small_config


class Lines:
    """A display that keeps what it is to print."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def show(self, _: object) -> None:
        """Show nothing."""

    def line(self, text: str) -> None:
        self.said.append(text)


def work(config: RunConfig, *iterations: int, name: str = "run") -> list[str]:
    """Run these iterations; return what was said."""
    display = Lines()
    with open_workspace(config, name, display=display) as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        for iteration in iterations:
            run_iteration(workspace, iteration)
    return display.said


@pytest.fixture
def two(database: Engine, tmp_path: Path) -> tuple[RunConfig, RunConfig]:
    """The configurations of two machines with one database."""
    return small_config(database, tmp_path / "first"), small_config(database, tmp_path / "second")


def test_what_was_trained_without_a_store_is_shared_at_the_next_start(
    two: tuple[RunConfig, RunConfig], database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, second), store = two, str(tmp_path / "store")
    work(first, 1)
    monkeypatch.setenv(VARIABLE, store)
    with pytest.raises(
        HomeError, match=r"iteration 1, and .*second.* is missing, here and in .*store.* uploads it"
    ):
        work(second)
    assert not (tmp_path / "second" / "runs").exists()
    work(first)
    work(second, 2)

    monkeypatch.setenv(VARIABLE, other := str(tmp_path / "other"))
    with pytest.raises(
        HomeError, match=rf"here and in {other}. The run's store is {store}: set {VARIABLE} to it"
    ):
        work(small_config(database, tmp_path / "third"))
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(HomeError, match=rf"Set {VARIABLE}={store}, or to another place"):
        work(second)
    monkeypatch.setenv(VARIABLE, other)
    work(second)  # it has the newest here, and the one that it began with, so the run moves
    moved = open_stored(database, tmp_path / "second", "run")
    assert moved.run.file_store == other
    assert store_of_iterations(moved) == {1, 2}


def store_of_iterations(stored: StoredRun) -> set[int]:
    """Return the iterations whose checkpoints are in the store."""
    assert stored.file_store is not None
    return {
        iteration
        for iteration in (1, 2)
        if stored.file_store.holds(stored.key_of(stored.checkpoint(iteration)))
    }


def test_a_run_starts_from_another_runs_checkpoint_in_the_store(
    two: tuple[RunConfig, RunConfig], database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    work(first, 1)
    work(second.model_copy(update={"model": "run:run:1"}), name="next")
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(HomeError, match=f"Set {VARIABLE}={tmp_path / 'store'}, or to another place"):
        work(small_config(database, tmp_path / "third", "model=run:run:1"), name="third")
    stored = open_stored(database, tmp_path / "second", "next")
    assert (
        stored.checkpoint(0).sha256 == open_stored(database, tmp_path / "first", "run").checkpoint(1).sha256
    )


def test_a_store_that_cannot_be_used_is_refused_before_anything_is_written(
    two: tuple[RunConfig, RunConfig], bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address, error, message in (
        (str(tmp_path / "first" / "store"), ConfigError, "is in the data directory"),
        ("s3://nobodys/folder", FileStoreError, "s3://nobodys/folder does not write"),
        ("s3://me:hunter2@bucket", ConfigError, "has a password"),
    ):
        monkeypatch.setenv(VARIABLE, address)
        with pytest.raises(error, match=message):
            work(two[0])
    assert not (tmp_path / "first" / "runs").exists()


def test_a_database_that_is_not_shared_is_said(
    two: tuple[RunConfig, RunConfig], database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    store_at(str(tmp_path / "store"), VARIABLE).write(
        "runs/run-01234567/checkpoints/x", b"of another database"
    )
    (said,) = [line for line in work(two[0]) if "ADASTAR_DATABASE_URL" in line]
    assert "a run of this name that this database does not know (run-01234567)" in said
    assert not [line for line in work(two[0]) if "ADASTAR_DATABASE_URL" in line]


def test_data_or_a_model_that_this_machine_lacks_is_said_to_be_on_the_last_one(
    two: tuple[RunConfig, RunConfig], database: Engine
) -> None:
    work(two[0])
    missing = two[0].model_copy(update={"model": "/srv/a-model"})
    with pytest.raises(ModelError) as here:
        work(missing)
    assert "last at work" not in str(here.value)
    with database.begin() as connection:
        connection.execute(text("UPDATE runs SET owner = 'process 7 on gpu-1'"))
    with pytest.raises(
        ModelError, match=r"/srv/a-model .*Run 'run' was last at work on gpu-1: every machine"
    ):
        work(missing)
    table = {"type": "table", "path": "/srv/sums.jsonl"}
    url = database.url.render_as_string(hide_password=False)
    with pytest.raises(
        DataError, match=r"/srv/sums.jsonl: no such file.*last at work on gpu-1: every machine"
    ):
        work(resolve({**SMALL, "database_url": url, "problem": table}))


def test_a_form_cannot_name_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFINED, "1")
    monkeypatch.setenv(VARIABLE, "s3://the-operators")
    check_access(RunConfig())
    assert not [name for name in RunConfig.model_json_schema()["properties"] if "store" in name]
