"""The compose file's services as processes: the very commands, with this machine's addresses."""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx
import yaml

from tests.deployment.image import ROOT, lay_out
from tests.deployment.prefect_database import PrefectDatabase, prefect_database

COMPOSE = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
READ_ONLY = 'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'
T = TypeVar("T")
PATIENCE_SECONDS = 600.0
"""How long a test waits for what must come. No test is about time, and a machine may be busy."""


@dataclass
class Services:
    """A server and its clients in one folder, on ports of their own.

    Attributes:
        folder: Where their files and logs lie.
        app: The image's files.
        database_url: The project's database.
        prefect: Prefect's own database.
        port: The server's port.
        environment: What every process gets.
        password: The server's, and that of its clients.
        hub_token: For gated models. It is sent nowhere: no test asks the hub.
        processes: Those that run, by service.
    """

    folder: Path
    app: Path
    database_url: str
    prefect: PrefectDatabase
    port: int
    environment: dict[str, str]
    password: str = field(default_factory=secrets.token_hex)
    hub_token: str = field(default_factory=lambda: f"hf_{secrets.token_hex()}")
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> dict[str, str]:
        """What a client of the server gets."""
        return {"PREFECT_API_URL": f"{self.url}/api", "PREFECT_API_AUTH_STRING": f"adastar:{self.password}"}

    def start(self, service: str, **extra: str) -> subprocess.Popen[bytes]:
        """Start a service's command in the background, in its own session."""
        with (self.folder / f"{service}.log").open("ab") as log:
            process = subprocess.Popen(
                self._confined(service, self._command(service)),
                cwd=self.app,
                env=self._environment(service) | extra,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes[service] = process
        return process

    def run(self, service: str, *command: str) -> str:
        """Run a service's command, or another one in its place, to its end; return what it printed."""
        done = self.done(service, *command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def done(self, service: str, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run it as :meth:`run` does, with more environment; return how it ended."""
        return subprocess.run(
            self._confined(service, list(command) or self._command(service)),
            cwd=self.app,
            env=self._environment(service) | extra,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )

    def start_server(self) -> None:
        """Start the server and wait until its health check succeeds."""
        process = self.start("server")
        self.wait(lambda: process.poll() is None and healthy(f"{self.url}/api/ready"))

    def is_healthy(self, service: str) -> bool:
        """Run a service's health check."""
        kind, *command = COMPOSE["services"][service]["healthcheck"]["test"]
        assert kind == "CMD"
        ports = {"4200": str(self.port), "8080": self.environment["PREFECT_WORKER_WEBSERVER_PORT"]}
        here = [re.sub("4200|8080", lambda found: ports[found[0]], word) for word in command]
        return subprocess.run(here, env=self._environment(service), capture_output=True).returncode == 0

    def kill(self, service: str) -> None:
        """End a service and all of its children at once."""
        process = self.processes.pop(service)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def wait(self, condition: Callable[[], T]) -> T:
        """Wait until ``condition`` gives something true; return it."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.2)
        logs = "\n".join(path.read_text()[-3000:] for path in self.folder.glob("*.log"))
        raise TimeoutError(f"waited {PATIENCE_SECONDS} s in vain; the logs end with:\n{logs}")

    def _command(self, service: str) -> list[str]:
        """Return the compose file's command; the programs are those of this Python."""
        command = [str(word) for word in COMPOSE["services"][service]["command"]]
        return ["127.0.0.1" if word == "0.0.0.0" else word for word in command]

    def _confined(self, service: str, command: list[str]) -> list[str]:
        """Let a service write to the folder alone, as its container's read-only file system would, where this user may."""
        if not COMPOSE["services"][service]["read_only"] or os.geteuid() != 0:
            return command
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
            return command
        return ["unshare", "--mount", "sh", "-c", READ_ONLY, str(self.folder), *command]

    def _environment(self, service: str) -> dict[str, str]:
        """Return the compose file's environment with this machine's addresses."""
        given: Mapping[str, str] = COMPOSE["services"][service].get("environment", {})
        here = {
            **self.client,
            "PREFECT_SERVER_API_AUTH_STRING": self.client["PREFECT_API_AUTH_STRING"],
            "HF_TOKEN": self.hub_token,
            "ADASTAR_HUB": "",
            "PREFECT_SERVER_UI_API_URL": f"{self.url}/api",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.prefect.url,
            "ADASTAR_DATABASE_URL": self.database_url,
            "ADASTAR_ALERTS": "",
            "ADASTAR_ALERT_MINUTES": "",
        }
        assert set(given) - set(here) <= {
            "PREFECT_SERVER_ANALYTICS_ENABLED",
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE",
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE",
        }
        return {
            **os.environ,
            **self.environment,
            **{name: here.get(name, value) for name, value in given.items()},
        }


def healthy(url: str) -> bool:
    """Return whether an address answers well."""
    try:
        return httpx.get(url, timeout=4).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


@contextmanager
def services(folder: Path, database_url: str) -> Iterator[Services]:
    """Yield the services of a folder; those that still run in the end are killed."""
    port = free_port()
    temporary = folder / "temporary"  # the worker's own files would meet another user's under /tmp
    temporary.mkdir()
    app = lay_out(folder / "app")
    environment = {
        "TMPDIR": str(temporary),
        "HOME": str(folder),  # in the image it is the volume
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(app),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_WEBSERVER_PORT": str(free_port()),
        "ADASTAR_CODE": str(app),
        "ADASTAR_HOME": str(folder / "home"),
        "OMP_NUM_THREADS": "1",
        "PREFECT_LOGGING_LEVEL": "INFO",
    }
    (folder / "prefect").mkdir()
    with prefect_database(folder, free_port()) as prefect:
        found = Services(folder, app, database_url, prefect, port, environment)
        try:
            yield found
        finally:
            for service in list(found.processes):
                found.kill(service)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
