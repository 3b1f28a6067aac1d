"""What a person sees while a run goes on: bars with rates on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from adastar_core.progress import Bar, Progress

_QUIET_SECONDS = 15.0
"""A plain log gets a line when a stage has been silent this long."""


def open_console(console: Console) -> Progress:
    """Return bars when ``console`` is a terminal, plain lines otherwise."""
    return TerminalProgress(console) if console.is_terminal else PlainProgress(console)


class _Rate(TextColumn):
    """Units and tokens per second of a bar."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> str:  # type: ignore[override]  # rich renders plain strings too
        seconds = task.elapsed or 0.0
        return _rate(task.completed, int(task.fields.get("tokens", 0)), seconds, task.fields["unit"])


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
        """Show a bar of ``total`` units."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            _Rate(),
        )
        with RichProgress(*columns, console=self._console, transient=True) as bars:
            number = bars.add_task(name, total=total, unit=unit, tokens=0)
            yield _RichBar(bars, bars.tasks[bars.task_ids.index(number)])

    def line(self, text: str) -> None:
        """Print one line above the bars."""
        self._console.print(text, highlight=False, markup=False)


class _PlainBar:
    def __init__(self, console: Console, name: str, total: int, unit: str) -> None:
        self._console, self._name, self._total, self._unit = console, name, total, unit
        self._done = self._tokens = 0
        self._started = self._spoken = time.monotonic()

    def advance(self, done: int, tokens: int = 0) -> None:
        self._done += done
        self._tokens += tokens
        if time.monotonic() - self._spoken > _QUIET_SECONDS:
            self.speak()

    def speak(self) -> None:
        self._spoken = time.monotonic()
        rate = _rate(self._done, self._tokens, self._spoken - self._started, self._unit)
        self._console.print(
            f"  {self._name}: {self._done}/{self._total} {self._unit}s {rate}".rstrip(),
            highlight=False,
            soft_wrap=True,
        )


class PlainProgress:
    """A line when a stage is long and silent; nothing for short ones."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        """Count a stage's units and speak now and then."""
        yield _PlainBar(self._console, name, total, unit)

    def line(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
