"""Progress of a run: a bar that moves through its stages on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from adastar_core.progress import Display, Standing
from adastar_core.progress.text import details, headline, left_text, stage_text

SECONDS_BETWEEN_LINES = 10.0
_BAR_WIDTH = 30
Clock = Callable[[], float]


@contextmanager
def open_console(console: Console) -> Iterator[Display]:
    """Yield what shows a run's progress on this console; a terminal's bar is gone at the end of the block."""
    if console.is_interactive and console.file.isatty():
        with TerminalProgress(console) as shown:
            yield shown
    else:  # a pipe, or a terminal that cannot move its cursor (TERM=dumb)
        yield PlainProgress(console)


class TerminalProgress:
    """One bar, with how near the stage's goal is, and a line below it with the rest."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._standing: Standing | None = None
        self._live = Live(console=console, get_renderable=self.drawn, transient=True, refresh_per_second=4)

    def __enter__(self) -> "TerminalProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, standing: Standing) -> None:
        """Draw the stage from now on; it is drawn several times a second, because the time left goes on."""
        self._standing = standing
        self._live.start()

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def drawn(self) -> Group | str:
        """Return what the terminal shows now."""
        if (standing := self._standing) is None:
            return ""
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=standing.share, width=_BAR_WIDTH)
        row.add_row(Text(standing.stage.title, style="bold"), bar, headline(standing))
        below = [", ".join(details(standing)), left_text(standing, self._clock())]
        return Group(row, Text("; ".join(filter(None, below)), style="dim"))


class PlainProgress:
    """A line about the stage that the run is in, at most one in ten seconds."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._said = clock()

    def show(self, standing: Standing) -> None:
        """Print where the run stands, unless a line was printed just now."""
        now = self._clock()
        if now - self._said >= SECONDS_BETWEEN_LINES:
            self._said = now
            self.line(f"  {stage_text(standing, now)}")

    def line(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
