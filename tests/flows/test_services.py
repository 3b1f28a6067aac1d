"""MLflow, W&B, TensorBoard and Trackio follow a real run, offline, and their own readers find what it logged."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from sqlalchemy import Engine, text

from adastar_core.config import RunConfig
from adastar_core.monitors import About
from adastar_core.monitors.process import MonitorFailure, ServiceProcess
from tests.flows.conftest import ROOT, Command

NAMES = ("mlflow", "tensorboard", "trackio", "wandb")
KILLER = """
import json, os, signal, time
from pathlib import Path

class Killer:
    def __init__(self, run, config, marker):
        self._runs, self._marker = Path(config.home, "runs"), Path(marker)

    def log(self, axis, step, numbers):
        if (axis, step) != ("train/step", 5) or self._marker.exists():
            return
        self._marker.touch()
        while sum(self._has(path, step) for path in self._runs.glob("*/monitors/*/logged.json")) < 4:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    def _has(self, path, step):
        return json.loads(path.read_text()).get("train/loss") == step
"""


def with_monitors(configuration: Path, *monitors: object) -> str:
    values = yaml.safe_load(configuration.read_text()) | {"monitors": list(monitors), "iterations": 2}
    configuration.write_text(yaml.safe_dump(values))
    return str(configuration)


def read_back(home: Path) -> dict[str, dict[str, Any]]:
    (folder,) = (home / "runs").iterdir()
    command = [sys.executable, "-m", "tests.support.monitor_readers", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    found: dict[str, dict[str, Any]] = json.loads(result.stdout)
    return found


@pytest.fixture
def away_from_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the keys and servers of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "WANDB_", "TRACKIO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))


@pytest.fixture
def callers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What anybody asks of a proxy that all clients are told to use."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                with caller:
                    caller.settimeout(5)
                    asked.append(caller.recv(1000).decode(errors="replace"))

        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
        threading.Thread(target=listen, daemon=True).start()
        yield asked
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
@pytest.mark.usefixtures("away_from_home")
def test_every_service_has_each_number_of_a_killed_and_resumed_run_once(
    adastar_process: Command, configuration: Path, database: Engine, tmp_path: Path, callers: list[str]
) -> None:
    killer = tmp_path / "killer.py"
    killer.write_text(KILLER)
    own = {"path": f"{killer}:Killer", "options": {"marker": str(tmp_path / "killed")}}
    file = with_monitors(configuration, *NAMES, own)
    killed = adastar_process("--config", file, "--run", "watched")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = adastar_process("--config", file, "--run", "watched")
    assert resumed.returncode == 0, resumed.stderr
    for result in (killed, resumed):
        said = (result.stdout + result.stderr).lower()
        assert not any(word in said for word in ("monitor ", "wandb", "mlflow", "trackio", "tensorboard"))

    found = read_back(tmp_path / "home")
    numbers = {name: found[name]["numbers"] for name in NAMES}
    steps = {name: [step for step, _ in points] for name, points in numbers["mlflow"].items()}
    assert steps["train/loss"] == [1, 2, 3, 4, 5, 6]
    assert steps["validation/accuracy"] == [0, 1, 2]
    assert steps["sampling/alpha"] == [1, 2]
    for name in NAMES:  # equal, and so none twice; event files hold 32 bits
        rounded = 1e-6 if name == "tensorboard" else 0
        assert numbers[name].keys() == numbers["mlflow"].keys(), name
        for key, points in numbers["mlflow"].items():
            assert [step for step, _ in numbers[name][key]] == [step for step, _ in points], (name, key)
            for (_, value), (_, same) in zip(points, numbers[name][key], strict=True):
                assert math.isclose(value, same, rel_tol=rounded), (name, key)

    logged = {key: dict(map(tuple, points)) for key, points in numbers["mlflow"].items()}
    compare_with_the_store(logged, database)
    assert callers == []

    with database.connect() as connection:
        identity = connection.execute(text("SELECT config FROM runs")).scalar_one()
    assert found["mlflow"]["config"] == {key: str(value) for key, value in identity.items()}
    assert identity.items() <= found["wandb"]["config"].items()
    assert identity.items() <= found["trackio"]["config"].items()
    assert f"model: {identity['model']}" in found["tensorboard"]["config"]
    assert (found["mlflow"]["status"], found["wandb"]["status"]) == ("FINISHED", 0)
    assert [len(found[name]["tables"]) for name in ("mlflow", "tensorboard")] == [2, 2]
    assert [found[name]["tables"] for name in ("wandb", "trackio")] == [2, 2]
    assert len(found["wandb"]["ids"]) == 1
    for name in ("mlflow", "wandb", "trackio"):
        assert {"report.html", "report.md"} <= set(found[name]["files"])


def compare_with_the_store(logged: dict[str, dict[int, float]], database: Engine) -> None:
    with database.connect() as connection:
        rows = connection.execute(text("SELECT * FROM iterations ORDER BY iteration")).mappings().all()
        queries = {
            "accuracy": "SELECT iteration, correct::float8 / total FROM evaluations WHERE split = 'validation'",
            "attempts": "SELECT iteration, sum(attempts) FROM observation_events GROUP BY iteration",
            "tokens": "SELECT iteration, avg(generated_tokens)::float8 FROM rollouts GROUP BY iteration",
            "loss": "SELECT iteration, loss FROM checkpoints WHERE iteration > 0",
            "flops": "SELECT iteration, sum(flops) / 1e15 FROM compute WHERE stage NOT LIKE 'evaluate%' GROUP BY 1",
        }
        stored = {name: dict(map(tuple, connection.execute(text(query)))) for name, query in queries.items()}
    for row in rows:
        t = row["iteration"]
        for key, column in (
            ("visits", "m"),
            ("alpha", "alpha"),
            ("stamped", "stamped"),
            ("accepted", "accepted"),
        ):
            assert logged[f"sampling/{key}"][t] == row[column]
        assert logged["sampling/attempts"][t] == stored["attempts"][t]
        assert logged["sampling/undecided_share"][t] == row["undecided"] / int(stored["attempts"][t])
        assert logged["cost/pflops"][t] == pytest.approx(stored["flops"][t])
        assert logged["finetune/loss"][t] == stored["loss"][t]
        of_iteration = [
            logged["train/loss"][step] for step, number in logged["train/iteration"].items() if number == t
        ]
        assert min(of_iteration) <= stored["loss"][t] <= max(of_iteration)
    assert logged["validation/accuracy"] == stored["accuracy"]
    assert logged["sampling/response_tokens"] == stored["tokens"]
    assert set(logged["test/accuracy"]) == {0, logged["selected/iteration"][2]}


@pytest.mark.usefixtures("away_from_home")
def test_a_service_that_is_away_is_a_line_and_the_run_continues(
    adastar: Command, configuration: Path, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    result = adastar("--config", with_monitors(configuration, "mlflow", "tensorboard"), "--run", "alone")
    assert result.returncode == 0, result.stderr
    said = " ".join((result.stdout + result.stderr).split())
    assert said.count("Monitor mlflow failed: MlflowException") == 1
    assert str(port) in said
    (events,) = (tmp_path / "home" / "runs").glob("*/monitors/tensorboard/events.out.*")
    assert b"validation/accuracy" in events.read_bytes()


@pytest.mark.usefixtures("away_from_home")
def test_a_service_that_never_answers_is_ended_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        about = About("mine", "uid", str(tmp_path / "own"), "adastar", {})
        service = ServiceProcess("mlflow", about, tmp_path / "work" / "mlflow.log")
        for step in range(10_000):  # more than a pipe holds
            service.log("train/step", step, {"train/loss": 1.0})
        with pytest.raises(MonitorFailure, match="Nothing more is sent to it"):
            service.close("failed")
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


@pytest.mark.parametrize(
    ("monitor", "words"),
    [
        ("wandb", "monitors.0: wandb is not installed. pip install 'adastar[wandb]'"),
        ({"type": "mlflow", "projct": "x"}, "monitors.0: mlflow has the option project alone, not projct."),
        ({"type": "mlflow", "tracking_uri": "http://x"}, "the option project alone, not tracking_uri."),
        (
            {"type": "trackio", "project": "../x"},
            "monitors.0.options.project = '../x' is no name of a project.",
        ),
    ],
)
def test_a_service_that_cannot_be_used_is_refused_before_anything_is_written(
    adastar: Command,
    configuration: Path,
    database: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    monitor: object,
    words: str,
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # as Python sees what is not installed
    result = adastar("--config", with_monitors(configuration, monitor))
    assert result.returncode == 2, result.stdout + result.stderr
    assert words in " ".join(result.stderr.split())
    assert not (tmp_path / "home" / "runs").exists()


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ("mlflow", {}),
        (["mlflow"], {}),
        ([{"type": "mlflow", "project": "mine"}], {"project": "mine"}),
        ([{"path": "mlflow", "options": {"project": "mine"}}], {"project": "mine"}),
    ],
)
def test_a_service_is_named_in_a_word_or_with_its_project(given: object, options: dict[str, str]) -> None:
    (monitor,) = RunConfig.model_validate({"monitors": given}).monitors
    assert (monitor.path, dict(monitor.options)) == ("mlflow", options)
