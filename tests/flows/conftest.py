"""The command line, in this process and in a new one."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_LOGGING_LEVEL, temporary_settings
from sqlalchemy import Engine

from tests.support.prefect_server import PrefectServer
from tests.support.runs import SMALL

ROOT = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def prefect_environment(prefect: PrefectServer) -> dict[str, str]:
    """Environment variables of the session's Prefect server."""
    return prefect.environment


@pytest.fixture
def configuration(database: Engine, tmp_path: Path) -> Path:
    """A configuration file of the small run, on the test's own database and data directory."""
    path = tmp_path / "small.yaml"
    url = database.url.render_as_string(hide_password=False)
    path.write_text(yaml.safe_dump({**SMALL, "database_url": url, "home": str(tmp_path / "home")}))
    return path


@pytest.fixture
def prefect_client(prefect_environment: dict[str, str]) -> Callable[[], AbstractContextManager[object]]:
    """While its context is open, flows in this process talk to the session's server."""
    settings = {
        PREFECT_API_URL: prefect_environment["PREFECT_API_URL"],
        PREFECT_HOME: Path(prefect_environment["PREFECT_HOME"]),
        PREFECT_LOGGING_LEVEL: "CRITICAL",
    }
    return lambda: temporary_settings(settings)


@pytest.fixture
def adastar(
    prefect_client: Callable[[], AbstractContextManager[object]], capfd: pytest.CaptureFixture[str]
) -> Command:
    """Run the command line with arguments in this process; return what it printed and its exit status."""
    from flows.adastar import adastar as run_flow
    from flows.commandline import main

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        status = 0
        with prefect_client():
            try:
                main(run_flow, arguments)
            except SystemExit as exit_:
                status = int(exit_.code or 0)
        printed = capfd.readouterr()
        return subprocess.CompletedProcess(list(arguments), status, printed.out, printed.err)

    return run


@pytest.fixture
def adastar_process(prefect_environment: dict[str, str]) -> Command:
    """Run ``python flows/adastar.py`` with arguments; return the finished process."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "flows/adastar.py", *arguments],
            cwd=ROOT,
            env={**os.environ, **prefect_environment, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run
