"""The Prefect server of a command: the configured one, or a temporary one that ends with the command."""

import atexit
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import prefect
from prefect import get_client, settings
from prefect.exceptions import TerminationSignal
from prefect.settings import PREFECT_API_URL, temporary_settings

from adastar_core.errors import StageError, UserError
from adastar_core.machine.parent import tied_to_us
from flows.signals import Ended, force_soon

_CHECK_SECONDS = 10.0
_END_SECONDS = 5.0
_ROOT = Path(__file__).resolve().parents[1]
_TEMPORARY = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}


def check_server() -> None:
    """Check that the configured Prefect server answers this client, or that a temporary one may be started.

    Raises:
        UserError: It does not answer, it refuses this client, or a temporary one is forbidden.
    """
    url = PREFECT_API_URL.value()
    if not url:
        if not settings.PREFECT_SERVER_ALLOW_EPHEMERAL_MODE.value():
            raise UserError(
                "PREFECT_API_URL is not set, and PREFECT_SERVER_ALLOW_EPHEMERAL_MODE=false forbids a temporary server. Set "
                "PREFECT_API_URL to a server's API, such as http://127.0.0.1:4200/api."
            )
        return
    try:
        with (
            temporary_settings({settings.PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True, httpx_settings={"timeout": _CHECK_SECONDS}) as client,
        ):
            client.read_flows(limit=1)
            client.raise_for_api_version_mismatch()
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise UserError(
                f"PREFECT_API_URL is {shown(url)}, and its server refuses this client ({status}). Set PREFECT_API_AUTH_STRING "
                "as the server has it, or PREFECT_API_KEY for Prefect Cloud."
            ) from error
        raise _unusable(
            url, f"and what answers there ({status}) is not the API of a Prefect server"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unusable(url, f"and nothing answers there ({error or type(error).__name__})") from error
    except ValueError as error:
        raise _unusable(url, "and what answers there is not the API of a Prefect server") from error
    except RuntimeError as error:
        raise _unusable(url, f"which cannot be used: {error}") from error


def _unusable(url: str, why: str) -> UserError:
    return UserError(
        f"PREFECT_API_URL is {shown(url)}, {why}. Start a server (prefect server start) and set it to that server's API, such "
        "as http://127.0.0.1:4200/api, or unset PREFECT_API_URL to use a temporary server."
    )


def shown(url: str) -> str:
    """Return an address without what may be secret in it: user, password and query."""
    try:
        return str(httpx.URL(url).copy_with(userinfo=b"", query=None))
    except httpx.InvalidURL:
        return "no address"


@contextmanager
def prefect_server() -> Iterator[None]:
    """Let flows in the block report to the configured server, or to a temporary one that ends with this process.

    The one that Prefect would start is left behind when a signal ends this process.

    Raises:
        UserError: A temporary server cannot be started.
        StageError: The server failed for longer than Prefect retries.
        Ended: SIGTERM, which Prefect recorded as the flow's end.
    """
    url = PREFECT_API_URL.value() or _start()
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            yield
    except TerminationSignal as ended:
        force_soon(ended.signal)
        raise Ended(ended.signal) from ended
    except httpx.HTTPError as error:
        raise StageError(
            f"The Prefect server at {shown(url)} failed ({type(error).__name__}). What was stored is kept; once it "
            "answers again, run the same command to resume."
        ) from error


def _start() -> str:
    """Start a temporary server and wait until it answers; return its API's address.

    Raises:
        UserError: Prefect's directory cannot be made, or the server did not start.
    """
    home = Path(settings.PREFECT_HOME.value())
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"Prefect's directory {home} cannot be made: {error}. Set PREFECT_HOME to a writable one."
        ) from error
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = str(prefect.__module_path__.parent)
    application = ["--app-dir", folder, "--factory", "prefect.server.api.server:create_app"]
    address = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    configured = settings.get_current_settings().to_environment_variables(exclude_unset=True)
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH", "")]))
    log = home / "temporary-server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            tied_to_us(["-m", "uvicorn", *application, *address]),
            env={**os.environ, **configured, **_TEMPORARY, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a signal to this process's group is for this process to handle
        )
    # Registered before Prefect's own, and so called after them: they send what is left to the server.
    atexit.register(_stop, process)
    url = f"http://127.0.0.1:{port}/api"
    _wait_until_healthy(process, url, log)
    return url


def _wait_until_healthy(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + settings.PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
    # One client: each loads the certificates anew, which would keep a core from the server that is starting.
    with httpx.Client(timeout=2, trust_env=False) as client:
        while process.poll() is None and time.monotonic() < end:
            with suppress(httpx.HTTPError):
                if client.get(f"{url}/health").is_success:
                    return
            time.sleep(0.1)
    _stop(process)
    last = log.read_text("utf-8", errors="replace").strip().rpartition("\n")[2]
    raise UserError(
        f"Prefect's temporary server did not start: {last or 'it said nothing'} (log: {log}). Set PREFECT_HOME to another "
        "directory, or PREFECT_API_URL to a server."
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
