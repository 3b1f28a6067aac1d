"""The files of the local Postgres and their owner: layout, password, initialisation.

::

    home/postgres.lock        held by the process that starts or stops the server
    home/postgres.password    readable by the caller alone; local users without it cannot connect
    home/postgres/            belongs to the server's user, mode 0700
        data/  socket/  log
    home/postgres-programs/   root only: a copy of the programs where the server's user cannot reach them

A server refuses to run as root, so root's runs as an unprivileged user that the system already has.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import DatabaseError, HomeError
from adastar_core.machine.files import atomic_write
from adastar_core.machine.waiting import take_lock
from adastar_core.postgres.binaries import Binaries, find_binaries

ROLE = "adastar"
PORT = 5432
"""Names the socket; there is no network port."""
_UNPRIVILEGED_USERS = ("postgres", "nobody")
_LONGEST_SOCKET_PATH = 107 - len(f"/.s.PGSQL.{PORT}")
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """One local server: its files in a data directory, and its account if the caller is root."""

    home: Path
    account: pwd.struct_passwd | None

    @classmethod
    def at(cls, home: Path) -> "ServerFiles":
        home = home.absolute()
        return cls(home, _server_account(home / "postgres") if os.geteuid() == 0 else None)

    @property
    def root(self) -> Path:
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def lock_files(self) -> tuple[Path, Path]:
        """The files that keep a second server from starting. A killed server leaves both behind."""
        return self.pid_file, self.socket.with_name(f"{self.socket.name}.lock")

    @property
    def password_file(self) -> Path:
        return self.home / "postgres.password"

    @property
    def tag(self) -> str:
        """A name that every process of this server has in its command line."""
        return "adastar-" + hashlib.sha256(str(self.data).encode()).hexdigest()[:16]

    @property
    def socket_directory(self) -> Path:
        """The socket's directory: in ``root``, or in /tmp where that path is too long for a socket."""
        inside = self.root / "socket"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        return Path("/tmp") / self.tag  # TMPDIR may be too long as well

    @property
    def socket(self) -> Path:
        return self.socket_directory / f".s.PGSQL.{PORT}"

    @property
    def owner(self) -> int:
        return self.account.pw_uid if self.account else os.geteuid()

    def owns(self, directory: Path) -> bool:
        """Return whether ``directory`` belongs to the server's user, so that no other user can listen in it."""
        found = directory.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == self.owner

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from starting or stopping this server; wait for one that does."""
        file = self.home / "postgres.lock"
        with _private_file(file, os.O_RDWR) as descriptor:
            take_lock(descriptor, file, "another process to start or stop the local database")
            yield

    def password(self) -> str:
        """Return the password, or an empty string before there is one."""
        try:
            return self.password_file.read_text(encoding="ascii")
        except FileNotFoundError:
            return ""

    def binaries(self) -> Binaries:
        """Return programs of the data's version, at a path where the server's user can run them."""
        version = self.data / "PG_VERSION"
        found = find_binaries(int(version.read_text()) if version.exists() else None)
        if self.account is None or self.can_reach(found.directory):
            return found
        return found.copied_to(self.home / "postgres-programs")

    def prepare(self, *, durable: bool) -> None:
        """Create what is missing: directories, password, an initialised data directory."""
        for directory in reversed((self.home, *self.home.parents)):
            if self.account and not self.can_reach(directory):
                raise HomeError(
                    f"The local database runs as user {self.account.pw_name}, who cannot pass through {directory}. "
                    f"Choose a data directory that it can reach (--set home=DIRECTORY or ADASTAR_HOME), e.g. one in "
                    "/var/lib, or set ADASTAR_DATABASE_URL to a running server."
                )
        for directory in (self.root, self.socket_directory):
            if not directory.exists():
                directory.mkdir(mode=0o700)
            if self.account and directory.lstat().st_uid == 0:
                os.chown(directory, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)
            if not self.owns(directory):
                raise HomeError(
                    f"{directory} is not a directory of user number {self.owner}, which the local database "
                    "runs as. Remove it, or choose another data directory with --set home=DIRECTORY or "
                    "ADASTAR_HOME."
                )
        if self.data.is_dir() and not self.password():
            raise HomeError(
                f"{self.password_file} is gone, so the local database in {self.data} cannot be opened. "
                f"Put it back from a copy, or move {self.root} away to start with an empty database."
            )
        if not self.data.is_dir():
            self._initialise(() if durable else ("--no-sync",))

    def run(self, *command: str, timeout_seconds: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user and return what it printed."""
        user = self.account
        return subprocess.run(
            command,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            cwd="/",
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_seconds,
        )

    def can_reach(self, directory: Path) -> bool:
        return self.run("/bin/sh", "-c", 'test -x "$0"', str(directory)).returncode == 0

    def _initialise(self, options: tuple[str, ...]) -> None:
        """Make an empty database cluster under a temporary name, then rename it, so that it is complete or absent."""
        password = self.password()
        if not password:
            password = secrets.token_urlsafe(24)
            with atomic_write(self.password_file) as part:
                part.unlink(missing_ok=True)
                with _private_file(part, os.O_WRONLY | os.O_EXCL) as descriptor:
                    os.write(descriptor, password.encode())
                    os.fsync(descriptor)
        staging, secret = self.root / "data.new", self.root / "password.new"
        shutil.rmtree(staging, ignore_errors=True)
        secret.unlink(missing_ok=True)
        with _private_file(secret, os.O_WRONLY | os.O_EXCL) as descriptor:
            os.write(descriptor, password.encode())
            if self.account:
                os.fchown(descriptor, self.account.pw_uid, self.account.pw_gid)
        options += ("--encoding=UTF8", "--no-locale", "--auth=scram-sha-256", f"--pwfile={secret}")
        initdb = self.binaries().program("initdb")
        done = self.run(initdb, f"--pgdata={staging}", f"--username={ROLE}", *options)
        secret.unlink()
        if done.returncode:
            raise DatabaseError(
                f"The local database could not be created in {self.root}: {_last_lines(done.stderr)}"
            )
        staging.rename(self.data)

    def last_log_lines(self) -> str:
        if not self.log.exists():
            return "no log was written"
        return _last_lines(self.log.read_text(errors="replace"))


def _server_account(root: Path) -> pwd.struct_passwd:
    """Return the account of a server started by root: the owner of its data, or an unprivileged system account."""
    owner = root.stat().st_uid if root.is_dir() else 0
    if owner:
        try:
            return pwd.getpwuid(owner)
        except KeyError:
            raise HomeError(
                f"{root} belongs to user number {owner}, whom this system does not know. Add the user, or give the "
                f"directory to another one: chown -R nobody {root}."
            ) from None
    for name in _UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise DatabaseError(
        "The local database cannot run as root, and the system has neither a user 'postgres' nor 'nobody'. Add one "
        "(useradd --system postgres), run as an ordinary user, or set ADASTAR_DATABASE_URL to a running server."
    )


@contextmanager
def _private_file(path: Path, flags: int) -> Iterator[int]:
    """Open (and create) a file that only its owner can read; a symbolic link is refused."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _last_lines(text: str) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-5:]) or "no output"
