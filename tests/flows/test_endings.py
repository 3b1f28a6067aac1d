"""A command that is told to end, cancelled in Prefect, or killed: no process that it started is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from prefect.exceptions import CancelledRun
from sqlalchemy import Engine

from adastar_core.store.overview import read_overviews
from flows import signals
from flows.commandline import errors_explained
from flows.signals import Ended, ended_by_signals
from tests.flows.conftest import ROOT
from tests.support.prefect_server import PrefectServer

SECONDS = 300
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a command that has to start Prefect's temporary server."""
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {"HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect"), "OMP_NUM_THREADS": "1"}
    started = []

    def run(*arguments: str, **more: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "output.log").open("ab") as output:
            command, own = [sys.executable, *arguments], environment | more
            started.append(subprocess.Popen(command, cwd=ROOT, env=own, stdout=output, stderr=output))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def family(process: subprocess.Popen[bytes], *wanted: str) -> list[psutil.Process]:
    """Wait until there is a process of each wanted kind; return all that this one started, directly or not."""
    end = time.monotonic() + SECONDS
    while process.poll() is None and time.monotonic() < end:
        with suppress(psutil.NoSuchProcess):
            found = psutil.Process(process.pid).children(recursive=True)
            lines = [" ".join(one.cmdline()) for one in found]
            if all(any(kind in line for line in lines) for kind in wanted):
                return found
        time.sleep(0.05)
    raise AssertionError(f"status {process.poll()}, and never all of {wanted}")


@pytest.mark.parametrize(
    ("number", "status", "state"), [(signal.SIGTERM, 143, "interrupted"), (signal.SIGKILL, -9, "crashed")]
)
def test_a_run_that_is_ended_leaves_no_process(
    start: Start,
    configuration: Path,
    database: Engine,
    tmp_path: Path,
    number: signal.Signals,
    status: int,
    state: str,
) -> None:
    """In the middle of a training in two processes."""
    settings = ["--set", "trainer.processes=2", "--set", "trainer.save_every=1"]
    process = start("flows/adastar.py", "--config", str(configuration), "--run", "mine", *settings)
    started = family(process, "uvicorn", "trainers.worker launch", "trainers.worker /")
    process.send_signal(number)
    said = (tmp_path / "output.log").read_text
    assert process.wait(SECONDS) == status, said()
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert "Traceback" not in said()
    if number is not signal.SIGKILL:
        assert f"error: ended by {number.name}. What was stored is kept" in said()
    with database.connect() as connection:
        (run,) = read_overviews(connection)
    assert (run.state, run.failure and run.failure[:7]) == (
        state,
        (number.name if status > 0 else "Its process")[:7],
    )


def test_a_command_ends_when_its_flow_run_is_cancelled(
    start: Start, configuration: Path, database: Engine, prefect: PrefectServer, tmp_path: Path
) -> None:
    """No worker watches a command's flow run: its own process does.

    The name is this test's alone: what other tests killed may still be running to their common server.
    """
    slow = ["--set", "generator.batch_size=1"]
    process = start(
        "flows/adastar.py", "--config", str(configuration), "--run", "unwanted", *slow, **prefect.environment
    )
    said = (tmp_path / "output.log").read_text
    end = time.monotonic() + SECONDS
    while not is_sampling(database):
        assert process.poll() is None, said()
        assert time.monotonic() < end
        time.sleep(0.2)
    api = prefect.environment["PREFECT_API_URL"]
    wanted = {"flow_runs": {"name": {"any_": ["unwanted"]}, "state": {"type": {"any_": ["RUNNING"]}}}}
    (flow_run,) = httpx.post(f"{api}/flow_runs/filter", json=wanted).json()
    place = f"{api}/flow_runs/{flow_run['id']}"
    httpx.post(f"{place}/set_state", json={"state": {"type": "CANCELLING"}}).raise_for_status()
    assert process.wait(SECONDS) == 143, said()
    assert "Traceback" not in said()
    assert httpx.get(place).json()["state_type"] == "CANCELLED"
    with database.connect() as connection:
        (run,) = read_overviews(connection)
    assert (run.state, run.failure) == ("cancelled", "Its flow run was cancelled in Prefect.")


def test_a_command_says_that_it_was_cancelled(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, errors_explained("adastar run", "run"):
        raise CancelledRun
    assert ended.value.code == 143
    assert "error: cancelled in Prefect. What was stored is kept." in capsys.readouterr().err


def is_sampling(database: Engine) -> bool:
    with database.connect() as connection:
        return [run.phase for run in read_overviews(connection)] == ["sampling"]


def test_a_comparison_that_is_ended_leaves_no_process(
    start: Start, configuration: Path, tmp_path: Path
) -> None:
    """It tells its runs to end; what is left of one that does not hear is killed."""
    process = start(
        "flows/compare.py",
        "--config",
        str(configuration),
        "--methods",
        "adastar,random-lazy",
        "--seeds",
        "0,1",
    )
    started = family(process, "uvicorn", "seed-0")
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 143, (tmp_path / "output.log").read_text()
    assert psutil.wait_procs(started, timeout=30)[1] == []
    assert "Run the same command to resume the comparison" in (tmp_path / "output.log").read_text()


def test_a_terminal_that_is_closed_ends_the_command_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "force_soon", list[int]().append)
    with pytest.raises(Ended) as ended, ended_by_signals():
        os.kill(os.getpid(), signal.SIGHUP)
    assert (ended.value.signal, ended.value.exit_status) == (signal.SIGHUP, 129)


def test_a_signal_that_the_caller_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
