"""Every command that README and documentation print works as printed, or ``exceptions.py`` says why it is not run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

import pytest
import yaml

from tests.documents.commands import PAGES, ROOT, commands, name_of
from tests.documents.exceptions import NOT_RUN, SHORTER, STANDS_FOR
from tests.support.checkout import fresh_checkout
from tests.support.prefect_server import PrefectServer
from tests.support.runs import SMALL

PRINTED = {name_of(page): commands(page.read_text()) for page in PAGES}
RUN = {
    page: [one for one in printed if not any(fnmatchcase(one, key) for key in NOT_RUN.get(page, {}))]
    for page, printed in PRINTED.items()
}


def test_nothing_is_excepted_that_no_page_prints() -> None:
    unused = [
        (page, key)
        for page, keys in NOT_RUN.items()
        for key in keys
        if not any(fnmatchcase(one, key) for one in PRINTED[page])
    ]
    run = list(chain.from_iterable(RUN.values()))
    shorter = [key for key in SHORTER if not any(fnmatchcase(one, key) for one in run)]
    assert (unused, shorter) == ([], [])


def test_a_reason_names_files_that_are_there() -> None:
    reasons = {reason for keys in NOT_RUN.values() for reason in keys.values()}
    named = {path for reason in reasons for path in re.findall(r"[\w/.]+\.(?:py|sh)|\.ci/run", reason)}
    assert named
    assert {path for path in named if not (ROOT / path).is_file()} == set()


def test_every_command_is_found() -> None:
    page = (
        "```console\n$ a b   # c\nprinted\n$ d \\\n    e '#f'\n```\n```sh\ng\n# h\n```\n```text\n$ i\n```\n"
    )
    assert commands(page) == ["a b", "d e '#f'", "g"]
    assert len(RUN["README.md"]) > 6


@pytest.mark.parametrize("page", [page for page, run in RUN.items() if run])
def test_the_commands_of_a_page_work_as_printed(newcomer: "Newcomer", page: str) -> None:
    done = newcomer.type([here(command) for command in RUN[page]])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    if page == "README.md":
        newcomer.check_the_run()


def here(command: str) -> str:
    """Return what runs: the command itself, or what exceptions.py puts in its place."""
    for key, instead in SHORTER.items():
        if fnmatchcase(command, key):
            command = instead.replace("{}", command)
    for word, value in STANDS_FOR.items():
        command = re.sub(rf"\b{word}\b", lambda _, value=value: value, command)
    return command


class Newcomer:
    """Somebody in a fresh checkout, with a data directory of their own and a configuration ``mine.yaml``."""

    def __init__(self, checkout: Path, home: Path, prefect: PrefectServer) -> None:
        self._checkout, self._home = checkout, home
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ADASTAR")}
        own = {"ADASTAR_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = kept | own | prefect.environment | {"PATH": path}
        (checkout / "mine.yaml").write_text(yaml.safe_dump(SMALL))

    def type(self, lines: list[str]) -> "subprocess.CompletedProcess[str]":
        """Run the commands in one terminal, up to the first that fails."""
        script = "set -ex\n" + "\n".join(lines)
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self._checkout, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip

    def check_the_run(self) -> None:
        """What the README calls ``mine`` was started, resumed with more iterations, and learned from its rationales."""
        query = "SELECT status, accepted FROM runs JOIN iterations USING (run_id) WHERE name = 'mine'"
        rows = json.loads(self.type([f'adastar sql --json "{query}"']).stdout)
        assert [row["status"] for row in rows] == ["finished"] * 4
        assert min(row["accepted"] for row in rows) > 20


@pytest.fixture
def newcomer(make_home: Callable[[], Path], tmp_path: Path, prefect: PrefectServer) -> Newcomer:
    return Newcomer(fresh_checkout(tmp_path / "adastar"), make_home(), prefect)
