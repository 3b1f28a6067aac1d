"""The command line in children that can be killed, and the server that they report to."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

from adastar_core.store.database import connect
from tests.conftest import new_database
from tests.crash.killer import Hit
from tests.crash.scene import Undisturbed, on_database, outcome, work
from tests.flows.conftest import ROOT
from tests.support.prefect_server import PrefectServer


class Run:
    """Runs the command line in children of a process that has everything imported.

    Attributes:
        clock: While this file exists, the children's wall clock is a day behind; ``None`` without a C compiler.
    """

    def __init__(self, zygote: "subprocess.Popen[str]", clock: Path | None) -> None:
        self._zygote, self.clock = zygote, clock

    def __call__(self, arguments: list[str], folder: Path, hit: Hit = Hit(), **environment: str) -> int:  # noqa: B008 (frozen)
        """Run to the end, or to the signal; return the exit status."""
        return self.wait(self.start(arguments, folder, hit, **environment))

    def start(self, arguments: list[str], folder: Path, hit: Hit = Hit(), **environment: str) -> int:  # noqa: B008 (frozen)
        """Start a child; return its process id."""
        files = {"log": str(folder / "killer.log"), "output": str(folder / "output.log")}
        return self._ask({**asdict(hit), **files, "arguments": arguments, "environment": environment})

    def wait(self, process: int) -> int:
        """Wait until a child ends; return its exit status."""
        return self._ask({"wait": process})

    def _ask(self, message: dict[str, object]) -> int:
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(message) + "\n")
        self._zygote.stdin.flush()
        return int(self._zygote.stdout.readline())


@pytest.fixture(scope="package")
def run(prefect: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The command line, ready to be killed."""
    folder = tmp_path_factory.mktemp("zygote")
    library = _compile_clock(folder)
    environment = {**os.environ, **prefect.environment, "OMP_NUM_THREADS": "1"}
    if library:
        environment |= {"LD_PRELOAD": str(library), "ADASTAR_TEST_CLOCK": str(folder / "jump")}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.crash.zygote"],
        cwd=ROOT,
        env={**environment, "PREFECT_LOGGING_LEVEL": "CRITICAL"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as zygote:
        yield Run(zygote, folder / "jump" if library else None)


@pytest.fixture(scope="package")
def undisturbed(
    run: Run, administrator: Engine, server: URL, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """The small run without interruptions, in its own database."""
    name, folder = f"calm_{os.getpid()}", tmp_path_factory.mktemp("calm")
    with new_database(administrator, name, template):
        engine = connect(server.set(database=name))
        assert run(on_database(folder, "calm", engine), folder) == 0
        found = outcome(engine, "calm")
        engine.dispose()
    return Undisturbed(found, work(folder)[0])


def _compile_clock(folder: Path) -> Path | None:
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "clock.so"
    source = str(Path(__file__).with_name("clock.c"))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), source, "-ldl"], check=True)
    return library
