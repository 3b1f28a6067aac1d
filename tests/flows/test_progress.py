"""What one sees while a run goes on: real runs of the tiny model, on terminals and without one."""

import io
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Engine

from adastar_core import stages
from adastar_core.config import RunConfig
from adastar_core.progress import Display, Standing
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from flows import console as console_module
from flows.console import SECONDS_BETWEEN_LINES, PlainProgress, open_console
from tests.flows.conftest import ROOT
from tests.support.runs import run_iteration, small_config

COUNTED = re.compile(r"t=(\d+) ([\w ]+): ([\d,]+)(?: of ([\d,]+))? (accepted|steps|answers)")
SAMPLING = re.compile(
    r"t=1 sample: [\d,]+ of 24 accepted, [\d,]+( of [\d,]+ planned)? attempts(, [\d.]+ % accepted)?, [\d,.]+ tokens/s"
)


class Ticking:
    """A clock that goes on by 0.7 s whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.7
        return self.now


class Stamped(io.StringIO):
    """Keeps when each line was written, by a clock."""

    def __init__(self, clock: Ticking) -> None:
        super().__init__()
        self.clock, self.at = clock, [0.0]

    def write(self, text: str) -> int:
        """Keep the text, and the time of each line's end."""
        self.at += [self.clock.now] * text.count("\n")
        return super().write(text)


def require_no_total_jumps_back(text: str) -> None:
    """Check that a stage has one total, and that what is done of it never falls."""
    last: dict[tuple[str, str], tuple[int, int]] = {}
    for t, name, done, goal, _ in COUNTED.findall(text):
        now = (int(done.replace(",", "")), int(goal.replace(",", "")))
        before = last.setdefault((t, name), now)
        assert now[1] == before[1]
        assert now[0] >= before[0]
        last[t, name] = now
    assert {name for _, name in last} >= {"sample", "finetune"}


def two_iterations(config: RunConfig, display: Display) -> None:
    with open_workspace(config, "run", display=display) as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        run_iteration(workspace, 2)


@pytest.fixture
def config(database: Engine, tmp_path: Path) -> RunConfig:
    """Batches of 4, so that the stages have many of them."""
    return small_config(database, tmp_path, "generator.batch_size=4")


def test_plain_lines_are_ten_seconds_apart_and_no_total_jumps_back(config: RunConfig) -> None:
    clock = Ticking()
    file = Stamped(clock)
    two_iterations(config, PlainProgress(Console(file=file, width=200), clock))
    lines = file.getvalue().splitlines()
    assert len(lines) > 5
    assert len(file.at) == len(lines) + 1
    gaps = [later - earlier for earlier, later in zip(file.at, file.at[1:], strict=False)]
    assert min(gaps) >= SECONDS_BETWEEN_LINES
    require_no_total_jumps_back(file.getvalue())
    assert any(SAMPLING.search(line) for line in lines)
    assert any(re.search(r"left in t=2, .* left in the run", line) for line in lines)


@contextmanager
def terminal(kind: str) -> Iterator[tuple[Console, list[str]]]:
    """Yield a console on a pseudo-terminal, and what was printed there, which is complete after the block."""
    ours, theirs = pty.openpty()
    printed: list[str] = []

    def read() -> None:
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 65536):
                printed.append(part.decode())

    reading = threading.Thread(target=read)
    reading.start()
    with os.fdopen(theirs, "w") as file:
        yield Console(file=file, width=100, _environ={"TERM": kind}), printed
    reading.join()
    os.close(ours)


class Both:
    """Shows a run in two places."""

    def __init__(self, *places: Display) -> None:
        self._places = places

    def show(self, standing: Standing) -> None:
        for place in self._places:
            place.show(standing)

    def line(self, text: str) -> None:
        for place in self._places:
            place.line(text)


def test_a_terminal_has_a_bar_that_moves_or_lines_where_it_cannot(
    config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_module, "SECONDS_BETWEEN_LINES", 0.0)  # every change is a line
    with (
        terminal("xterm") as (able, drawn),
        terminal("dumb") as (unable, printed),
        open_console(able) as bar,
        open_console(unable) as lines,
    ):
        two_iterations(config, Both(bar, lines))
    text = "".join(printed)
    assert moves(text) == []
    assert SAMPLING.search(text)
    assert re.search(r"t=2 finetune: 3 of 3 steps, loss \d\.\d+, learning rate 0\.0003", text)
    require_no_total_jumps_back(text)
    text = "".join(drawn)
    assert len(moves(text)) > 10
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)
    assert re.search(r"t=\d sample +[━╸╺]+ +\d+ of 24 accepted", plain)
    assert text.rstrip().endswith("\x1b[2K")  # the bar is gone in the end


def moves(text: str) -> list[str]:
    """Return what moves a terminal's cursor."""
    return re.findall(r"\x1b\[\d*[ABJKH]", text)


def test_the_command_shows_a_bar_on_a_terminal_and_nothing_of_it_in_the_end(
    configuration: Path, prefect_environment: dict[str, str]
) -> None:
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        **prefect_environment,
        "OMP_NUM_THREADS": "1",
        "TERM": "xterm",
        "COLUMNS": "100",
    }
    command = [sys.executable, "flows/adastar.py", str(configuration), "--set", "iterations=1"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text = b""
    with suppress(OSError):
        while part := os.read(ours, 65536):
            text += part
    os.close(ours)
    assert process.wait() == 0, text.decode()
    shown = text.decode()
    assert re.search(r"of 24 (accepted|answers)", shown)
    after = shown.rpartition("\x1b[2K")[2]
    assert "Validation accuracy" in after or "Test accuracy" in after
    assert "━" not in after


class Interrupted(Exception):
    """What ends a process in the middle of a stage."""


class Fragile(PlainProgress):
    """Shows a run until a stage has come so far."""

    def __init__(self, console: Console, name: str, done: int) -> None:
        super().__init__(console)
        self._name, self._done, self.shown = name, done, list[Standing]()

    def show(self, standing: Standing) -> None:
        """Fail once the stage is there."""
        self.shown.append(standing)
        if standing.stage.name == self._name and standing.counts.done >= self._done:
            raise Interrupted


def test_a_resumed_stage_begins_where_it_stood(config: RunConfig) -> None:
    """One run, interrupted in three stages. Only the training itself knows where it resumes."""
    console = Console(file=io.StringIO())
    interrupted = (
        ("evaluate validation", 8, None),
        ("sample", 5, None),
        ("finetune", 3, 2),  # a restart point every two steps
    )
    processes = [Fragile(console, name, reached) for name, reached, _ in interrupted]
    for process in processes:
        with pytest.raises(Interrupted):
            two_iterations(config, process)
    processes.append(Fragile(console, "nothing", 0))
    two_iterations(config, processes[-1])
    for (_, reached, kept), first, second in zip(interrupted, processes, processes[1:], strict=False):
        last = first.shown[-1]
        assert last.counts.done >= reached
        resumed = [one for one in second.shown if one.stage == last.stage]
        assert max(one.since.done for one in resumed) == (last.counts.done if kept is None else kept)
        done = [one.counts.done for one in resumed]
        assert done == sorted(done)
        assert done[-1] >= last.stage.goal
