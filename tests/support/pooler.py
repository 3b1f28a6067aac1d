"""A pgbouncer before a PostgreSQL server, in any mode; tests that need one are left out where it is not installed."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(database: URL, **settings: object) -> Iterator[URL]:
    """Yield the address of ``database`` through a pgbouncer with these settings."""
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed")
    folder = Path(tempfile.mkdtemp(prefix="adastar-pooler-"))
    user, port = _user(database), _free_port()
    config = folder / "pgbouncer.ini"
    config.write_text(_config(database, {"listen_port": port, **settings}))
    for path in (folder, config):
        os.chown(path, user, -1)
    switched = {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PGBOUNCER, str(config)], stdout=log, stderr=log, **switched)  # type: ignore[call-overload]
    try:
        _wait(process, port, folder / "log")
        yield database.set(host="127.0.0.1", port=port, password="any", query={})
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _config(database: URL, settings: dict[str, object]) -> str:
    host = database.query.get("host") or database.host
    target = f"host={host} port={database.port or 5432} user={database.username} password={database.password}"
    fixed = {"listen_addr": "127.0.0.1", "unix_socket_dir": "", "auth_type": "any"}
    lines = [f"{name} = {value}" for name, value in (fixed | settings).items()]
    return "\n".join(["[databases]", f"* = {target}", "[pgbouncer]", *lines, ""])


def _user(database: URL) -> int:
    """Return who may use the server's socket: pgbouncer does not run as root."""
    folder = database.query.get("host")
    if os.geteuid() == 0:
        return Path(str(folder)).stat().st_uid if folder else 65534
    return os.geteuid()


def _free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        with closing(socket.socket()) as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(log.read_text())
