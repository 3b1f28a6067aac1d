"""A Prefect server for a test session: started once, stopped at the end, on its own port."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx


class PrefectServer:
    """A server whose files lie in one folder.

    Args:
        home: The folder.
        services: Whether it also schedules, writes events and keeps task runs, which is most of its work.

    Attributes:
        environment: What its clients need.
        kill_file: Holds the number by which ``os.kill`` ends the server with its children.
    """

    def __init__(self, home: Path, *, services: bool) -> None:
        port = _free_port()
        self.environment = {
            "PREFECT_HOME": str(home),
            "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home / "storage"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_API_PORT": str(port),
        }
        self._options = [] if services else ["--no-services"]
        self.kill_file = home / "server.kill"
        self._log = home / "server.log"
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "server", "start", *self._options],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.kill_file.write_text(str(-process.pid))
        return process

    def wait_until_healthy(self, timeout_seconds: float = 600) -> None:
        """Wait until it answers well."""
        end = time.monotonic() + timeout_seconds
        while time.monotonic() < end:
            try:
                if httpx.get(f"{self.environment['PREFECT_API_URL']}/health", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.2)
        raise TimeoutError(f"the Prefect server did not become healthy:\n{self._log.read_text()[-2000:]}")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Start the server again whenever it dies."""
        over = threading.Event()

        def guard() -> None:
            while not over.wait(0.5):
                if self._process.poll() is not None:
                    self._process = self._start()

        guarding = threading.Thread(target=guard)
        guarding.start()
        try:
            yield
        finally:
            over.set()
            guarding.join()
            if self._process.poll() is not None:
                self._process = self._start()
            self.wait_until_healthy()

    def stop(self) -> None:
        """End the server and its children."""
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(timeout=30)


@contextmanager
def prefect_server(home: Path, *, services: bool = False) -> Iterator[PrefectServer]:
    """Yield a server that answers."""
    server = PrefectServer(home, services=services)
    try:
        server.wait_until_healthy()
        yield server
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
