"""docs/deploying.md word by word: its command blocks, each in its own terminal, in a fresh checkout."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deployment.image import ROOT
from tests.deployment.services import COMPOSE, PATIENCE_SECONDS, free_port, healthy
from tests.support.checkout import fresh_checkout

PAGE = (ROOT / "docs" / "deploying.md").read_text()
SECTION = PAGE.partition("## Run a process pool on one machine")[2].partition("\n## ")[0]
INSTALL, SERVER, SET_UP, WORKER, START = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
(API,) = re.findall("export PREFECT_API_URL.*\n", START)
ONLY_IN_A_CONTAINER = ("--host", "0.0.0.0", "--with-healthcheck", "sh", "-c")
NIGHTS = re.findall("`(prefect flow-run ls[^`]*)`", SECTION)[0]


@pytest.mark.parametrize(("service", "block"), [("server", SERVER), ("set-up", SET_UP), ("worker", WORKER)])
def test_the_page_starts_what_the_compose_file_starts(service: str, block: str) -> None:
    words = [word for word in COMPOSE["services"][service]["command"] if word not in ONLY_IN_A_CONTAINER]
    for command in " ".join(words).split(" && "):
        assert re.search(rf"^(exec )?{re.escape(command)}( |$)", block, re.MULTILINE)


@pytest.mark.parametrize(("service", "block"), [("server", SERVER), ("worker", WORKER)])
def test_the_page_sets_what_the_compose_file_sets(service: str, block: str) -> None:
    for name, value in COMPOSE["services"][service]["environment"].items():
        assert "${" in value or "://" in value or f"export {name}={value}\n" in block


@pytest.mark.skipif(
    "ADASTAR_SOAK_ROUNDS" not in os.environ, reason="for make soak: ADASTAR_SOAK_ROUNDS is not set"
)
def test_a_newcomer_gets_a_run_and_a_schedule(newcomer: "Newcomer") -> None:
    assert "MISSING" not in newcomer.type(INSTALL)
    with newcomer.leave_running(SERVER):
        newcomer.wait_for_the_server()
        newcomer.type(SET_UP)
        with newcomer.leave_running(WORKER):
            shown = newcomer.type(START)
            assert "Completed" in shown
            assert re.search(r"smoke +finished +arithmetic", shown)
            assert "SCHEDULED" in newcomer.type(f". .venv/bin/activate; {API}{NIGHTS}")


class Newcomer:
    """Somebody with a checkout who does what is written. The port is another than 4200, in case that is taken."""

    def __init__(self, checkout: Path, home: Path) -> None:
        self._checkout, self._port = checkout, free_port()
        self._environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("ADASTAR", "PREFECT"))
            },
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(checkout),
            "ADASTAR_HOME": str(home),
            "PREFECT_HOME": str(checkout / "prefect-home"),
            "PREFECT_SERVER_API_PORT": str(self._port),
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(checkout),
            "COLUMNS": "200",
        }

    def type(self, block: str) -> str:
        """Run a block to its end; return what it printed."""
        command = ["bash", "-e", "-c", self._here(block)]
        done = subprocess.run(
            command,
            cwd=self._checkout,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def leave_running(self, block: str) -> Iterator[None]:
        """Run a block in a terminal that is closed in the end."""
        terminal = subprocess.Popen(
            ["bash", "-e", "-c", self._here(block)],
            cwd=self._checkout,
            env=self._environment,
            start_new_session=True,
        )
        try:
            yield
            assert terminal.poll() is None, "it must keep running"
        finally:
            os.killpg(terminal.pid, signal.SIGKILL)
            terminal.wait()

    def wait_for_the_server(self) -> None:
        """Wait until the server answers."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not healthy(f"http://127.0.0.1:{self._port}/api/ready"):
            assert time.monotonic() < end
            time.sleep(0.2)

    def _here(self, block: str) -> str:
        return block.replace("4200", str(self._port))


@pytest.fixture
def newcomer(make_home: Callable[[], Path], tmp_path: Path) -> Newcomer:
    """A fresh checkout in which `make install` has nothing left to do: what it installs is this environment."""
    return Newcomer(fresh_checkout(tmp_path / "adastar"), make_home())
