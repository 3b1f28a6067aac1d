"""Child processes that answer lines: deadlines, what became of one that is gone, and what it started ends with it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from adastar_core.machine.child import Child, ChildFailure

MODULE = """
import json, os, signal, subprocess, sys, time

for line in sys.stdin:
    order = json.loads(line)
    match order["do"]:
        case "answer":
            print(json.dumps({"length": len(order["text"])}), flush=True)
        case "fail":
            print(json.dumps({"error": "MemoryError: too much", "memory": True}), flush=True)
        case "sleep":
            time.sleep(60)
        case "die":
            print("last words", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        case "start":
            started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            print(json.dumps({"pid": started.pid}), flush=True)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Child]:
    (tmp_path / "answering.py").write_text(MODULE)
    (tmp_path / "child.log").write_text("words of an earlier process\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    child = Child("answering", log=tmp_path / "child.log")
    yield child
    child.kill()


def test_a_long_line_is_answered_by_a_line(child: Child) -> None:
    assert child.ask({"do": "answer", "text": "x" * 10**6}, 60) == {"length": 10**6}
    assert child.alive


def test_an_error_in_there_is_a_failure_here_and_the_process_stays(child: Child) -> None:
    with pytest.raises(ChildFailure, match=r"MemoryError: too much \(its log: .*child\.log\)") as failure:
        child.ask({"do": "fail"}, 60)
    assert failure.value.memory
    assert child.ask({"do": "answer", "text": ""}, 60) == {"length": 0}


def test_a_deadline_is_kept(child: Child) -> None:
    with pytest.raises(ChildFailure, match=r"no answer within 0\.5 seconds") as failure:
        child.ask({"do": "sleep"}, 0.5)
    assert failure.value.status is None


def test_the_end_of_a_process_is_reported_with_its_last_words(child: Child) -> None:
    with pytest.raises(ChildFailure, match=r"status -9 .*saying last: last words$") as failure:
        child.ask({"do": "die"}, 60)
    assert (failure.value.status, failure.value.memory) == (-signal.SIGKILL, True)
    with pytest.raises(ChildFailure):
        child.ask({"do": "answer", "text": ""}, 60)


def test_what_it_started_ends_with_it(child: Child) -> None:
    started = child.ask({"do": "start"}, 60)["pid"]
    child.end()
    assert not child.alive
    assert not psutil.pid_exists(started)
