"""docker/copy.sh, on a PostgreSQL that docker/databases.sh set up: what was copied comes back, and nothing half."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deployment.image import ROOT
from tests.deployment.prefect_database import prefect_cluster
from tests.deployment.services import COMPOSE, free_port

Shell = Callable[..., str]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the services back-up and restore get, with folders of this machine."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("data", "backups"):
        (folder / name).mkdir()
    with prefect_cluster(free_port()) as found:
        if found is None:
            pytest.skip("no installed PostgreSQL has the extension pg_trgm")
        yield {**found, "DATA": str(folder / "data"), "BACKUPS": str(folder / "backups")}


def copy(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", str(ROOT / "docker" / "copy.sh"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def ask(environment: dict[str, str], database: str, query: str) -> str:
    """Ask as the database's own role, which needs its rights."""
    command = [
        "psql",
        "--no-align",
        "--tuples-only",
        "--username",
        database,
        "--dbname",
        database,
        "--command",
        query,
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_what_was_copied_comes_back(environment: dict[str, str]) -> None:
    data = Path(environment["DATA"])
    (data / "checkpoint").write_text("weights")
    (data / "checkpoint").chmod(0o640)
    with (data / "log").open("wb") as log:
        log.truncate(64 * 2**20)  # large enough to be written to while it is read
    for database in ("prefect", "adastar"):
        ask(environment, database, "CREATE TABLE runs AS SELECT 'first' AS name")
    with subprocess.Popen(["sh", "-c", f"while :; do echo a line >> {data}/log; done"]) as working:
        done = copy(environment, "out")
        working.kill()
    assert done.returncode == 0, done.stderr
    (made,) = os.listdir(environment["BACKUPS"])
    assert done.stdout.startswith(f"Copied to {made}, ")

    (data / "checkpoint").unlink()
    for database in ("prefect", "adastar"):
        ask(environment, database, "UPDATE runs SET name = 'second'; CREATE TABLE newer (a int)")
    done = copy(environment, "in", made)
    assert done.returncode == 0, done.stderr
    assert (data / "checkpoint").read_text() == "weights"
    assert (data / "checkpoint").stat().st_mode & 0o777 == 0o640
    for database in ("prefect", "adastar"):
        assert ask(environment, database, "SELECT name, to_regclass('newer') FROM runs") == "first|"
        ask(environment, database, "INSERT INTO runs VALUES ('after')")
    assert ask(environment, "prefect", "SELECT similarity('a', 'a')") == "1"
    assert copy(environment, "in", made).returncode == 0, "it can be repeated"


def test_nothing_is_restored_under_a_running_worker(environment: dict[str, str]) -> None:
    (made, *_) = os.listdir(environment["BACKUPS"])
    ask(environment, "adastar", "UPDATE runs SET name = 'now'")
    held = subprocess.Popen(
        ["psql", "--username", "adastar", "--dbname", "adastar"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert held.stdin is not None
    assert held.stdout is not None
    held.stdin.write(b"SELECT 'connected';\n")
    held.stdin.flush()
    held.stdout.readline()
    done = copy(environment, "in", made)
    held.communicate()
    assert done.returncode != 0
    assert 'database "adastar" is being accessed by other users' in done.stderr
    assert ask(environment, "adastar", "SELECT DISTINCT name FROM runs") == "now"
    assert ask(environment, "prefect", "SELECT name FROM runs LIMIT 1") == "first", "neither has changed"


def test_a_copy_that_is_not_there_is_named(environment: dict[str, str]) -> None:
    done = copy(environment, "in", "yesterday")
    assert (done.returncode, done.stderr[:17]) == (2, "There is no copy ")
    assert copy(environment, "in").returncode == 2


def test_the_compose_file_has_both_as_services() -> None:
    for name, word in (("back-up", "out"), ("restore", "in")):
        service = COMPOSE["services"][name]
        assert service["entrypoint"] == ["bash", "/copy.sh", word]
        assert service["image"] == COMPOSE["services"]["postgres"]["image"], (
            "no other pg_dump fits the server"
        )
        assert {one.split(":")[-2 if one.endswith(":ro") else -1] for one in service["volumes"]} == {
            "/copy.sh",
            "/data",
            "/backups",
        }
