"""A finished run that every test of the command gets a copy of: its database and its files."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text

from adastar_core import cli, stages
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from adastar_core.store.database import connect
from adastar_core.store.runs import finish_run
from tests.conftest import new_database
from tests.support.runs import run_iteration, small_config

Adastar = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Finished:
    """A finished run of three iterations: its database and its data directory."""

    database: str
    home: Path


@pytest.fixture(scope="package")
def finished(
    administrator: Engine, server: URL, template: str, make_home: Callable[[], Path]
) -> Iterator[Finished]:
    """Make the run once."""
    name, home = f"finished_{os.getpid()}", make_home()
    with new_database(administrator, name, template):
        engine = connect(server.set(database=name))
        # Hints, so that both kinds of prompt are checked.
        config = small_config(engine, home, "rationalize=true", "problem.train=80")
        with open_workspace(config, "mine") as workspace:
            stages.evaluate(workspace, 0, Split.VALIDATION)
            for iteration in (1, 2, 3):
                run_iteration(workspace, iteration)
            stages.evaluate(workspace, 0, Split.TEST)
            with workspace.lease.transaction() as connection:
                finish_run(connection, workspace.run_id, "finished")
        engine.dispose()
        yield Finished(name, home)


@pytest.fixture
def run_database(
    administrator: Engine, server: URL, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """A copy of the finished run's database, which the command finds by its environment variable."""
    name = f"copy_{finished.database}"
    with new_database(administrator, name, finished.database):
        url = server.set(database=name)
        monkeypatch.setenv("ADASTAR_DATABASE_URL", url.render_as_string(hide_password=False))
        engine = connect(url)
        yield engine
        engine.dispose()


@pytest.fixture
def run_home(finished: Finished, run_database: Engine, tmp_path: Path) -> Path:
    """A copy of the finished run's files."""
    home = tmp_path / "home"
    shutil.copytree(finished.home / "runs", home / "runs")
    return home


@pytest.fixture(scope="package")
def one_copy(administrator: Engine, server: URL, finished: Finished) -> Iterator[Engine]:
    """A copy of the finished run's database for all tests that only read it."""
    name = f"read_{finished.database}"
    with new_database(administrator, name, finished.database):
        engine = connect(server.set(database=name))
        yield engine
        engine.dispose()


@pytest.fixture
def only_read(one_copy: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The copy that all readers share, which the command finds by its environment variable."""
    monkeypatch.setenv("ADASTAR_DATABASE_URL", one_copy.url.render_as_string(hide_password=False))
    return one_copy


@contextmanager
def owned(engine: Engine) -> Iterator[None]:
    """Own the run as a working process does, until the block ends."""
    with engine.connect() as owner:
        owner.execute(text("SELECT pg_advisory_lock(44453, (SELECT run_id FROM runs))"))
        yield
        owner.invalidate()  # the lock goes with the session


@pytest.fixture
def adastar(run_home: Path, capsys: pytest.CaptureFixture[str]) -> Adastar:
    """Run the command on the copy; return its exit status, what it printed and what it complained about."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.main([*arguments, "--home", str(run_home)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def adastar_json(adastar: Adastar) -> Callable[..., dict[str, object]]:
    """Run the command with ``--json``, which must succeed; return the document."""

    def run(*arguments: str) -> dict[str, object]:
        status, out, err = adastar(*arguments, "--json")
        assert status == 0, err
        document: dict[str, object] = json.loads(out)
        return document

    return run
