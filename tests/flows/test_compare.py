"""A comparison as users run it: killed, continued, and the same table as one that was left alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import psutil
import yaml
from sqlalchemy import Engine

from adastar_core.store.overview import Overview, read_overviews
from adastar_core.store.runs import drop_run, list_runs
from tests.flows.conftest import ROOT
from tests.support.runs import SMALL

SETTINGS = (
    "problem.train=40", "problem.validation=8", "problem.test=8", "iterations=2", "sampler.path=bench/oracle.py:Oracle",
)  # fmt: skip


def command(configuration: Path, output: Path) -> list[str]:
    sets = [part for one in SETTINGS for part in ("--set", one)]
    options = ["--methods", "random-lazy,star-acc,custom", "--seeds", "0", *sets, "--output", str(output)]
    return [sys.executable, "flows/compare.py", "--config", str(configuration), *options]


def kill_when(
    happened: Callable[[], bool], arguments: list[str], environment: dict[str, str]
) -> list[psutil.Process]:
    """Start the comparison and kill it once that has happened; return the runs that it left behind."""
    process = subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    for _ in range(3000):
        assert process.poll() is None, "it ended before it could be killed"
        if happened():
            break
        time.sleep(0.1)
    else:
        raise TimeoutError("that did not happen within five minutes")
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return psutil.wait_procs(children, timeout=20)[1]


def is_over(home: Path) -> bool:
    """Return whether the first run is finished; the other one is in the middle then."""
    return any(home.glob("comparisons/*/*.json"))


def test_killed_and_continued_it_gives_the_same_table(
    database: Engine, tmp_path: Path, prefect_environment: dict[str, str]
) -> None:
    environment = {**os.environ, **prefect_environment}
    tables = []
    for place in ("killed", "alone"):
        home, configuration = tmp_path / place / "home", tmp_path / place / "small.yaml"
        configuration.parent.mkdir()
        url = database.url.render_as_string(hide_password=False)
        configuration.write_text(yaml.safe_dump({**SMALL, "database_url": url, "home": str(home)}))
        arguments = command(configuration, tmp_path / place)
        if place == "killed":
            one_is_over = partial(is_over, home)
            assert not kill_when(one_is_over, arguments, environment), "runs outlived their comparison"
            assert not (tmp_path / place / "comparison.csv").exists()
        done = subprocess.run(
            arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert "STaR-Acc" in done.stdout
        assert "Oracle" in done.stdout
        files = ("comparison.csv", "runs.csv", "accuracy-by-compute.png")
        tables.append([(tmp_path / place / name).read_bytes() for name in files])
        for one in list_runs(database):
            drop_run(database, one.name)
    assert tables[0] == tables[1]
    artifacts = httpx.post(f"{prefect_environment['PREFECT_API_URL']}/artifacts/latest/filter", json={})
    keys = {one["key"] for one in artifacts.json()}
    assert any(key.startswith("compare-small-") and key.endswith("-comparison") for key in keys)


def test_a_method_that_cannot_win_is_dropped_and_can_be_run_to_its_end_later(
    database: Engine, tmp_path: Path, prefect_environment: dict[str, str], configuration: Path
) -> None:
    """With examples in its prompts the small model answers nothing: after one of two iterations that is beyond chance."""
    sizes = ("problem.train=40", "problem.validation=40", "problem.test=8", "iterations=2")
    sets = [part for one in sizes for part in ("--set", one)]
    shared = [
        sys.executable,
        "flows/compare.py",
        str(configuration),
        *sets,
        "--output",
        str(tmp_path / "out"),
    ]
    words = ["--methods", "adastar,sft-8cot", "--seeds", "0,1"]

    def compared(*more: str) -> str:
        done = subprocess.run(
            [*shared, *words, *more],
            cwd=ROOT,
            env={**os.environ, **prefect_environment},
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stderr
        return (tmp_path / "out" / "comparison.csv").read_text()

    def runs() -> dict[tuple[str, int], Overview]:
        with database.connect() as connection:
            return {(one.method, one.seed): one for one in read_overviews(connection)}

    first, kept = compared("--drop"), next(tmp_path.glob("home/comparisons/*/rungs.json"))
    decisions, told = kept.read_bytes(), runs()
    assert first.splitlines()[-1].startswith("sft-8cot,2,,,")
    assert [(told["adastar", seed].state, told["adastar", seed].done) for seed in (0, 1)] == [
        ("finished", 2)
    ] * 2
    for seed in (0, 1):
        dropped = told["sft-8cot", seed]
        assert (dropped.state, dropped.done) == ("interrupted", 1)
        assert "Dropped from its comparison after 1 iteration: on validation" in (dropped.failure or "")

    kept.unlink()
    assert compared("--drop") == first
    assert kept.read_bytes() == decisions
    assert {key: one.seconds for key, one in runs().items()} == {
        key: one.seconds for key, one in told.items()
    }

    assert "dropped" not in compared()
    assert {(one.state, one.done) for one in runs().values()} == {("finished", 2)}
