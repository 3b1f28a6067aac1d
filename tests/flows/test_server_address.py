"""An address at which no Prefect server serves this client: one line that names the variable, before anything is done."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE, temporary_settings
from sqlalchemy import Engine

from adastar_core.store.runs import list_runs
from tests.flows.conftest import ROOT


@pytest.fixture
def database(untouched: Engine) -> Engine:
    """One database for all: every run here is refused."""
    return untouched


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Serve one answer to every request; yield the address, with a password in it."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://me:hush@127.0.0.1:{server.server_port}/api?token=hush"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def at(address: str) -> Iterator[str]:
    """Yield an address unchanged."""
    yield address


def run_adastar(configuration: Path) -> None:
    from flows.adastar import adastar
    from flows.commandline import main

    main(adastar, ("--config", str(configuration)))


def run_compare(configuration: Path) -> None:
    from flows.compare import compare
    from flows.compare_commandline import main

    main(compare, ("--config", str(configuration)))


@pytest.mark.parametrize("command", [run_adastar, run_compare])
@pytest.mark.parametrize(
    ("place", "arguments", "complaint"),
    [
        (at, ("http://me:hush@127.0.0.1:1/api",), "nothing answers there"),
        (at, ("http://nowhere.invalid/api",), "nothing answers there"),
        (at, ("localhost:4200/api",), "nothing answers there"),
        (at, ("http:///api",), "nothing answers there"),
        (answering, (401, b'{"exception_message": "Unauthorized"}'), "refuses this client (401)"),
        (answering, (404, b""), "what answers there (404) is not the API of a Prefect server"),
        (answering, (200, b"<html>"), "what answers there is not the API of a Prefect server"),
        (answering, (200, b"[]"), "what answers there is not the API of a Prefect server"),
    ],
)
def test_a_server_that_does_not_serve_is_named(
    command: Callable[[Path], None],
    place: Callable[..., AbstractContextManager[str]],
    arguments: tuple[object, ...],
    complaint: str,
    configuration: Path,
    database: Engine,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with (
        place(*arguments) as url,
        temporary_settings({PREFECT_API_URL: url}),
        pytest.raises(SystemExit) as exit_,
    ):
        command(configuration)
    said = capfd.readouterr().err
    assert exit_.value.code == 2
    assert "PREFECT_API_URL is " in said
    assert complaint in said
    assert said.count("\n") == 1, said
    assert "Set PREFECT_API_AUTH_STRING" in said or "or unset PREFECT_API_URL" in said
    assert "hush" not in said
    assert list_runs(database) == []


def test_no_address_where_a_temporary_server_is_forbidden(
    configuration: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = {PREFECT_API_URL: None, PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}
    with temporary_settings(settings), pytest.raises(SystemExit) as exit_:
        run_adastar(configuration)
    assert exit_.value.code == 2
    assert "PREFECT_API_URL is not set" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("command", "name", "value", "complaint"),
    [
        ("adastar.py", "PREFECT_API_URL", "http://me:hush@[::1/api", "Invalid IPv6 URL"),
        ("compare.py", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "perhaps", "ServerEphemeralSettings: enabled"),
    ],
)
def test_settings_that_prefect_cannot_read_are_one_line(
    command: str, name: str, value: str, complaint: str
) -> None:
    done = subprocess.run(
        [sys.executable, f"flows/{command}"],
        cwd=ROOT,
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1, done.stderr
    assert complaint in done.stderr
    assert "PREFECT_API_URL" in done.stderr
    assert "hush" not in done.stderr
