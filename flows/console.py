"""Progress of a run: bars with rates on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from adastar_core.progress import Bar, Progress

_QUIET_SECONDS = 15.0
"""A plain log gets a line when a stage has been silent this long."""


def open_console(console: Console) -> Progress:
    return TerminalProgress(console) if console.is_terminal else PlainProgress(console)


class _Rate(ProgressColumn):
    """Units and tokens per second of a bar."""

    def render(self, task: Task) -> Text:
        tokens, unit = task.fields["tokens"], task.fields["unit"]
        return Text(_rate(task.completed, tokens, task.elapsed or 0.0, unit))


def _rate(done: float, tokens: int, seconds: float, unit: str) -> str:
    if seconds <= 0 or not done:
        return ""
    text = f"{done / seconds:,.1f} {unit}/s"
    return f"{text}, {tokens / seconds:,.0f} tokens/s" if tokens else text


class _RichBar:
    def __init__(self, bars: RichProgress, task: Task) -> None:
        self._bars, self._task = bars, task

    def advance(self, done: int, tokens: int = 0) -> None:
        self._bars.update(self._task.id, advance=done, tokens=self._task.fields["tokens"] + tokens)


class TerminalProgress:
    """One bar per stage; it disappears when the stage ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        name_column = TextColumn("{task.description}")
        columns = (name_column, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), _Rate())
        with RichProgress(*columns, console=self._console, transient=True) as bars:
            number = bars.add_task(name, total=total, unit=unit, tokens=0)
            yield _RichBar(bars, bars.tasks[bars.task_ids.index(number)])

    def line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)


class _PlainBar:
    def __init__(self, console: Console, name: str, total: int, unit: str) -> None:
        self._console, self._name, self._total, self._unit = console, name, total, unit
        self._done = self._tokens = 0
        self._started = self._spoken = time.monotonic()

    def advance(self, done: int, tokens: int = 0) -> None:
        self._done += done
        self._tokens += tokens
        now = time.monotonic()
        if now - self._spoken > _QUIET_SECONDS:
            self._spoken = now
            rate = _rate(self._done, self._tokens, now - self._started, self._unit)
            line = f"  {self._name}: {self._done}/{self._total} {self._unit}s {rate}".rstrip()
            self._console.print(line, highlight=False, soft_wrap=True)


class PlainProgress:
    """A line when a stage has been silent for long; nothing for short stages."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        yield _PlainBar(self._console, name, total, unit)

    def line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
