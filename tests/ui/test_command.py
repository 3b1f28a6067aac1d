"""``adastar ui`` as a process: it says where it is, and ends when it is told to."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "ui.md").read_text()


@contextmanager
def started(*words: str, home: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "adastar_core.cli", *words, "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def documented() -> list[list[str]]:
    """Return the words of every line of the document that starts the pages."""
    return [
        words.split("#")[0].split()[1:]
        for words in re.findall(r"^\$ (adastar ui[^\n]*)$", DOCUMENT, re.MULTILINE)
    ]


@pytest.mark.parametrize("words", documented(), ids=" ".join)
def test_what_the_document_says_opens_the_pages(
    words: list[str], run_database: Engine, run_home: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with started(*(port if word.isdigit() else word for word in words), home=run_home) as process:
        address = first_line(process).removeprefix("Open ").strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", address)
        if "--port" in words:
            assert f":{port}/" in address
        with httpx.Client(follow_redirects=True) as client:  # whose connection stays open
            assert "mine" in client.get(address).text
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_json_has_the_address(run_database: Engine, run_home: Path) -> None:
    with started("ui", "--json", home=run_home) as process:
        lines = first_line(process) + first_line(process) + first_line(process)
        assert httpx.get(json.loads(lines)["url"]).status_code == 303
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)


def test_a_port_that_is_taken_is_named(run_database: Engine, run_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started("ui", "--port", port, home=run_home) as process:
            _, complaint = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"--port {port} cannot be used" in complaint


def test_other_commands_load_without_the_web_server() -> None:
    blocked = "sys.modules.update(fastapi=None, starlette=None, uvicorn=None)"
    code = f"import sys; {blocked}; import adastar_core.cli.reading, adastar_core.cli.browsing, adastar_core.ui.attempts"
    subprocess.run([sys.executable, "-c", code], check=True)
