"""A comparison as users run it: killed, continued, and the same table as one that was left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import yaml
from sqlalchemy import Engine, text

from adastar_core.store.runs import drop_run, list_runs
from tests.flows.conftest import ROOT
from tests.support.runs import SMALL

SETTINGS = ("problem.train=40", "problem.validation=8", "problem.test=8", "iterations=2")


def command(configuration: Path, output: Path) -> list[str]:
    sets = [part for one in SETTINGS for part in ("--set", one)]
    methods = ["--methods", "star-acc", "--seeds", "0"]
    return [
        sys.executable,
        "flows/compare.py",
        "--config",
        str(configuration),
        *methods,
        *sets,
        "--output",
        str(output),
    ]


def wait_for_a_checkpoint(engine: Engine, process: subprocess.Popen[bytes]) -> None:
    query = text("SELECT count(*) FROM checkpoints WHERE iteration = 1")
    for _ in range(600):
        assert process.poll() is None, "it ended before it could be killed"
        with engine.connect() as connection:
            if connection.scalar(query):
                return
        time.sleep(0.1)
    raise TimeoutError("no checkpoint within a minute")


def test_killed_and_continued_it_gives_the_same_table(
    database: Engine, tmp_path: Path, prefect_environment: dict[str, str]
) -> None:
    environment = {**os.environ, **prefect_environment}
    tables = []
    for place in ("killed", "alone"):
        configuration = tmp_path / f"{place}" / "small.yaml"
        configuration.parent.mkdir()
        url = database.url.render_as_string(hide_password=False)
        values = {**SMALL, "database_url": url, "home": str(tmp_path / place / "home")}
        configuration.write_text(yaml.safe_dump(values))
        arguments = command(configuration, tmp_path / place)
        if place == "killed":
            first = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
            wait_for_a_checkpoint(database, first)
            children = psutil.Process(first.pid).children(recursive=True)
            first.send_signal(signal.SIGKILL)
            first.wait()
            _, alive = psutil.wait_procs(children, timeout=20)
            assert not alive, "the runs outlived their comparison"
        done = subprocess.run(
            arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert "STaR-Acc" in done.stdout
        tables.append((tmp_path / place / "comparison.csv").read_text())
        for one in list_runs(database):
            drop_run(database, one.name)
    assert tables[0] == tables[1]
    keys = {
        one["key"]
        for one in httpx.post(
            f"{prefect_environment['PREFECT_API_URL']}/artifacts/latest/filter", json={}
        ).json()
    }
    assert any(key.startswith("compare-small-") and key.endswith("-comparison") for key in keys)
