"""Monitors of the user's own, named by a path and by an entry point, in a real run."""

import json
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Engine, text

from tests.flows.conftest import Command

LOG = """
import json
from pathlib import Path

class Log:
    def __init__(self, run, config, file):
        self._file = Path(file)
        self._say("opened", run=run, seed=config.seed)

    def _say(self, what, **values):
        with self._file.open("a") as lines:
            print(json.dumps({"what": what, **values}), file=lines)

    def iteration(self, record):
        accuracy = record.validation.share
        self._say("iteration", t=record.t, accuracy=accuracy, alpha=record.alpha, m=record.m, accepted=record.accepted,
                  pflops=record.pflops, seconds=record.seconds)

    def finished(self, report):
        self._say("finished", best=report.best_iteration, accuracy=report.test.share)

class EndOnly:
    def __init__(self, run, config, file):
        self._file = file

    def finished(self, report):
        Path(self._file).write_text(f"{report.run}: {len(report.iterations)}")

class Fails(Log):
    def iteration(self, record):
        raise ConnectionError("the tracker is away")

def cannot_start(run, config):
    raise OSError("no network")

def of_another_kind(run, config):
    return run
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with monitors, as pip leaves it; return its module."""
    module = tmp_path / "trackers.py"
    module.write_text(LOG)
    metadata = tmp_path / "trackers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: trackers\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[adastar.monitors]\nend-only = trackers:EndOnly\n")
    monkeypatch.syspath_prepend(tmp_path)
    return module


def with_monitors(configuration: Path, *monitors: dict[str, object]) -> str:
    values = yaml.safe_load(configuration.read_text()) | {"monitors": list(monitors), "iterations": 2}
    configuration.write_text(yaml.safe_dump(values))
    return str(configuration)


def test_monitors_follow_a_run_and_those_that_fail_end_nothing(
    adastar: Command, configuration: Path, package: Path, database: Engine, tmp_path: Path
) -> None:
    log, end, broken = (tmp_path / name for name in ("log.jsonl", "end.txt", "broken.jsonl"))
    file = with_monitors(
        configuration,
        {"path": f"{package}:Log", "options": {"file": str(log)}},
        {"path": "end-only", "options": {"file": str(end)}},
        {"path": "trackers:Fails", "options": {"file": str(broken)}},
        {"path": "trackers:cannot_start"},
        {"path": "trackers:of_another_kind"},
    )
    result = adastar("--config", file, "--run", "watched")
    assert result.returncode == 0, result.stderr
    opened, *iterations, finished = map(json.loads, log.read_text().splitlines())
    assert opened == {"what": "opened", "run": "watched", "seed": 0}
    query = text("SELECT iteration AS t, m, alpha, accepted FROM iterations ORDER BY iteration")
    with database.connect() as connection:
        stored = [dict(row._mapping) for row in connection.execute(query)]
    assert [{key: record[key] for key in ("t", "m", "alpha", "accepted")} for record in iterations] == stored
    assert all(
        0 <= record["accuracy"] <= 1 and record["pflops"] > 0 < record["seconds"] for record in iterations
    )
    assert finished["what"] == "finished"
    assert end.read_text() == "watched: 2"
    said = " ".join((result.stdout + result.stderr).split())
    assert said.count("Monitor trackers:Fails, iteration failed: ConnectionError: the tracker is away.") == 1
    assert '"finished"' in broken.read_text()
    assert "Monitor trackers:cannot_start failed: OSError: no network. The run continues." in said
    assert "trackers:of_another_kind has none of the methods iteration, finished, log, table, file" in said


@pytest.mark.parametrize(
    ("monitor", "words"),
    [
        ({"path": "trackers:Nobody"}, "monitors.0.path: trackers has no 'Nobody'"),
        ({"path": "nobody"}, "monitors.0.path = 'nobody' is no entry point of adastar.monitors"),
        ({"path": "mlflw"}, "monitors.0 = 'mlflw' is unknown; did you mean 'mlflow'?"),
        ({"path": "trackers:Log", "options": {"fiel": "x"}}, "monitors.0: trackers:Log cannot be called"),
        ({"path": "trackers:json"}, "monitors.0.path: trackers:json is a module"),
    ],
)
def test_a_monitor_that_cannot_be_used_is_refused_before_anything_is_written(
    adastar: Command,
    configuration: Path,
    package: Path,
    database: Engine,
    monitor: dict[str, object],
    words: str,
) -> None:
    result = adastar("--config", with_monitors(configuration, monitor))
    assert result.returncode == 2, result.stdout + result.stderr
    assert words in " ".join(result.stderr.split())
