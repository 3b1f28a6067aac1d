"""A run's time is one sum over all of its processes, for every reader."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import cli
from adastar_core.machine.units import duration
from tests.flows.conftest import Command

Ask = Callable[..., list[dict[str, object]]]
TEN_HOURS = 36_000


@pytest.fixture
def ask(
    database: Engine, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Ask:
    """Run ``adastar`` with ``--json``; return the document or documents."""
    monkeypatch.setenv("ADASTAR_DATABASE_URL", database.url.render_as_string(hide_password=False))

    def run(*arguments: str) -> list[dict[str, object]]:
        capfd.readouterr()
        assert cli.main([*arguments, "--json", "--home", str(tmp_path / "home")]) == 0
        found = json.loads(capfd.readouterr().out)
        return found if isinstance(found, list) else [found]

    return run


def test_a_run_that_was_killed_and_finished_later_reports_the_time_of_both_processes(
    adastar: Command, ask: Ask, configuration: Path, database: Engine, tmp_path: Path
) -> None:
    """The first process worked ten hours, by the database's clock, and left the run as a kill leaves it."""
    arguments = ("--config", str(configuration), "--run", "mine", "--summary", str(tmp_path / "summary.json"))
    first = adastar(*arguments, "--set", "iterations=1")
    assert first.returncode == 0, first.stderr
    with database.begin() as connection:
        connection.execute(text("UPDATE owners SET taken_at = taken_at - interval '10 hours'"))
        connection.execute(text("UPDATE runs SET status = 'running', finished_at = NULL"))

    second = adastar(*arguments, "--set", "iterations=2")
    assert second.returncode == 0, second.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    seconds = summary["wall_seconds"]
    stages = sum(one["seconds"] for one in summary["iterations"])
    assert TEN_HOURS + summary["iterations"][1]["seconds"] < seconds < TEN_HOURS + 10 * stages
    assert duration(seconds) in second.stdout

    (again,) = ask("report", "mine")
    assert again["summary"] == summary  # the time, and the preset's name
    assert summary["preset"] == "small"
    assert ask("show", "mine")[0]["seconds"] == seconds
    assert ask("runs")[0]["seconds"] == seconds
    for page in ("report.html", "report.md"):
        (report,) = (tmp_path / "home" / "runs").glob(f"mine-*/report/{page}")
        assert duration(seconds) in report.read_text()
