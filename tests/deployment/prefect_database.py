"""The database of the tests' Prefect server: an installed PostgreSQL set up by docker/databases.sh, or else SQLite.

Prefect needs the extension pg_trgm, which distributions have and the local server's programs do not. SQLite is for
machines without it: a busy server answers some requests with 503 then.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

_DOCKER = Path(__file__).parents[2] / "docker"
_DATABASES = _DOCKER / "databases.sh"
_HEALTH_CHECK = yaml.safe_load((_DOCKER / "compose.yaml").read_text())["services"]["postgres"]["healthcheck"][
    "test"
][1]
_USER = "postgres" if os.geteuid() == 0 else None
"""A server refuses to run as root."""


@dataclass(frozen=True)
class PrefectDatabase:
    """Where Prefect's rows are, and a way to get all of them as bytes."""

    url: str
    dump: Callable[[], bytes]


@contextmanager
def prefect_database(folder: Path, port: int) -> Iterator[PrefectDatabase]:
    """Yield an empty database for a Prefect server."""
    with prefect_cluster(port) as environment:
        if environment is None:
            path = folder / "prefect.db"
            yield PrefectDatabase(f"sqlite+aiosqlite:///{path}", lambda: _read_all(path))
            return

        def dump() -> bytes:
            command = ["pg_dump", "--username=prefect", "--inserts", "prefect"]
            return subprocess.run(command, env=environment, capture_output=True, check=True).stdout

        login = f"prefect:{environment['PGPASSWORD']}"
        yield PrefectDatabase(f"postgresql+asyncpg://{login}@127.0.0.1:{port}/prefect", dump)


@contextmanager
def prefect_cluster(port: int) -> Iterator[dict[str, str] | None]:
    """Yield the environment of a client of a new server that docker/databases.sh set up; nothing without PostgreSQL."""
    programs = _installed()
    if programs is None:
        yield None
        return
    root = Path(tempfile.mkdtemp(prefix="adastar-prefect-"))
    try:
        with _running(programs, root, port) as environment:
            yield environment
    finally:
        shutil.rmtree(root)


def _installed() -> Path | None:
    """Return the programs of an installed PostgreSQL that has pg_trgm."""
    for extension in sorted(Path("/usr/share/postgresql").glob("*/extension/pg_trgm.control"), reverse=True):
        programs = Path("/usr/lib/postgresql") / extension.parts[-3] / "bin"
        if (programs / "initdb").is_file():
            return programs
    return None


@contextmanager
def _running(programs: Path, root: Path, port: int) -> Iterator[dict[str, str]]:
    password = secrets.token_urlsafe(16)
    secret = root / "password"
    secret.write_text(password)
    if _USER:
        for path in (root, secret):
            shutil.chown(path, _USER)
    data = str(root / "data")
    _run(
        programs,
        "initdb",
        f"--pgdata={data}",
        "--username=postgres",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
    )
    settings = f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={root} -c fsync=off"
    _run(programs, "pg_ctl", "start", "-w", "-D", data, "-l", str(root / "log"), "-o", settings)
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGPASSWORD": password,
    }
    passwords = {f"{name}_PASSWORD": password for name in ("POSTGRES", "PREFECT", "ADASTAR")}

    try:
        subprocess.run([_DATABASES], env={**environment, **passwords}, stdout=subprocess.DEVNULL, check=True)
        subprocess.run(["sh", "-c", _HEALTH_CHECK], env=environment, stdout=subprocess.DEVNULL, check=True)
        yield environment
    finally:
        _run(programs, "pg_ctl", "stop", "-D", data, "-m", "immediate")


def _run(programs: Path, program: str, *arguments: str) -> None:
    """Run a program as the server's user; what it prints is not waited for, since a server keeps it open."""
    command = [str(programs / program), *arguments]
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    subprocess.run(
        command,
        user=_USER,
        cwd="/",
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def _read_all(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
