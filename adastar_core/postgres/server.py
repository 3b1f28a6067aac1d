"""A local Postgres that starts by itself: for a laptop, a test, a single machine.

The server outlives the process that started it; :func:`stop_local_postgres` ends it. "Up" means that a connection succeeds,
never that a process id exists: after a crash the id may belong to a zombie or to another process. Recovery after a crash can
take minutes, so the starter waits that long and says so. One machine per data directory: sharing it between hosts is not
safe.
"""

import logging
import shlex
import socket
import time
from pathlib import Path

import psutil
import psycopg2
from sqlalchemy import URL

from adastar_core.errors import DatabaseError, HomeError
from adastar_core.postgres.layout import PORT, ROLE, ServerFiles

_logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 600.0
_SAY_AFTER_SECONDS = 10.0
_ATTEMPTS = 3
_LARGEST_LOG_BYTES = 10 * 2**20

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "log_checkpoints": "off",
    "autovacuum_naptime": "15s",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


def start_local_postgres(home: Path, *, durable: bool = True) -> str:
    """Return the URL of the local server's maintenance database, starting the server if it is not up.

    Any number of processes may call this at once. ``home`` must exist; files go to ``home/postgres``.
    Unless ``durable``, committed data may not survive a crash of the machine: tests turn it off for speed.

    Raises:
        DatabaseError: There are no server programs, or the server does not come up.
        HomeError: The directory belongs to somebody else or cannot be reached by the server's user.
    """
    files = ServerFiles.at(home)
    try:
        if not _accepts(files):
            with files.locked():
                files.prepare(durable=durable)
                _bring_up(files, {} if durable else _NOT_DURABLE)
        url = URL.create(
            "postgresql+psycopg2",
            username=ROLE,
            password=files.password(),
            port=PORT,
            database="postgres",
            query={"host": str(files.socket_directory)},
        )
        return url.render_as_string(hide_password=False)
    except OSError as error:
        raise HomeError(
            f"The local database in {files.root} cannot be used: {error}. Make {home} a writable directory of "
            "your own, or name another one with --set home=DIRECTORY or ADASTAR_HOME."
        ) from error


def stop_local_postgres(home: Path) -> None:
    """Stop the local server if it runs; open transactions are rolled back. A DatabaseError after a minute."""
    files = ServerFiles.at(home)
    if not files.pid_file.exists():
        return
    with files.locked():
        pg_ctl, options = files.binaries().program("pg_ctl"), ("-m", "fast", "-t", "60")
        done = files.run(pg_ctl, "stop", "-D", str(files.data), *options)
    if done.returncode and _is_alive(files):
        raise DatabaseError(f"The local database in {files.data} did not stop: {done.stderr.strip()}")


def is_up(home: Path) -> bool:
    """Return whether the local server of this data directory accepts connections; nothing is started."""
    return _accepts(ServerFiles.at(home))


def _accepts(files: ServerFiles) -> bool:
    """Return whether a connection succeeds; a DatabaseError if the server is up and refuses the password."""
    if not _listens(files):
        return False
    try:
        psycopg2.connect(
            host=str(files.socket_directory),
            port=PORT,
            user=ROLE,
            password=files.password(),
            dbname="postgres",
            connect_timeout=10,
        ).close()
    except psycopg2.OperationalError as error:
        if "authentication failed" in str(error):
            raise DatabaseError(
                f"The local database refuses the password in {files.password_file}. Put back the file that "
                "belongs to it."
            ) from None
        return False
    return True


def _listens(files: ServerFiles) -> bool:
    """Return whether some process, in this container or another, has the server's socket open."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(files.socket))
        return files.owns(files.socket_directory)
    except TimeoutError:
        return True  # its queue is full
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def _is_alive(files: ServerFiles) -> bool:
    """Return whether any process of this server exists. A zombie has no command line and does not count."""
    return any(
        "postgres" in (process.info["name"] or "") and files.tag in " ".join(process.info["cmdline"] or ())
        for process in psutil.process_iter(["name", "cmdline"])
    )


def _bring_up(files: ServerFiles, settings: dict[str, str]) -> None:
    """Start the server and wait until it accepts connections. The caller holds the lock of its files."""
    began, announced, attempts = time.monotonic(), False, 0
    log_ends = f"Its log, {files.log}, ends with: "
    while not _accepts(files):
        # It is recovering, or a killed server's last query still runs.
        if _listens(files) or _is_alive(files):
            waited = time.monotonic() - began
            if waited > _PATIENCE_SECONDS:
                raise DatabaseError(
                    f"The local database in {files.data} did not come up within {_PATIENCE_SECONDS / 60:.0f} minutes. "
                    f"{log_ends}{files.last_log_lines()}"
                )
            if waited > _SAY_AFTER_SECONDS and not announced:
                _logger.warning("Waiting for the local database to recover; its log is %s", files.log)
                announced = True
            time.sleep(0.1)
            continue
        if attempts == _ATTEMPTS:
            raise DatabaseError(
                f"The local database in {files.data} does not start. {log_ends}{files.last_log_lines()}"
            )
        attempts += 1
        for file in files.lock_files:
            file.unlink(missing_ok=True)  # no process is left, so it is a dead server's
        _start(files, settings)


def _start(files: ServerFiles, settings: dict[str, str]) -> None:
    """Start the server in its own session; returns when it is ready, has failed, or takes longer than 5 seconds."""
    if files.log.exists() and files.log.stat().st_size > _LARGEST_LOG_BYTES:
        files.log.replace(files.log.with_suffix(".old"))
    names = {
        "port": str(PORT),
        "unix_socket_directories": f'"{files.socket_directory}"',
        "cluster_name": files.tag,
    }
    options = [f"-c{key}={value}" for key, value in (_SETTINGS | names | settings).items()]
    pg_ctl, place = files.binaries().program("pg_ctl"), ("-D", str(files.data), "-l", str(files.log))
    files.run(pg_ctl, "start", *place, "-w", "-t", "5", "-o", shlex.join(options))
