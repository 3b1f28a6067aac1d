"""What commands print: one JSON document with ``--json``, text for people otherwise."""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from adastar_core.machine.visible import json_text, visible

_WIDTH_WITHOUT_TERMINAL = 160
_ANY_WIDTH = 10_000


def print_json(value: object) -> int:
    """Print a value and return 0, the exit status. Dataclasses are objects, times ISO 8601."""
    print(json_text(value, default=_plain))
    return 0


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print a table whose first ``left`` columns are texts and the others numbers. No text is taken for markup.

    On a terminal so narrow that words or numbers would break, each row is a paragraph with a line per column.
    """
    shown = [[" ".join(visible(cell).split("\n")) for cell in row] for row in rows]
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < left else "right", overflow="fold")
    for row in shown:
        table.add_row(*map(Text, row))
    out = console()
    needed = Measurement.get(out, out.options.update(width=_ANY_WIDTH), table).minimum
    out.print(table if needed <= out.width else Text("\n\n".join(_paragraph(headings, row) for row in shown)))


def _paragraph(headings: Sequence[str], row: Sequence[str]) -> str:
    width = max(map(len, headings)) + 2
    return "\n".join(f"{heading:{width}}{cell}" for heading, cell in zip(headings, row, strict=True))


def print_line(text: str) -> None:
    """Print a text, of which nothing is taken for markup or control codes."""
    console().print(Text(visible(text)), soft_wrap=True)  # as a Text, so that :smile: stays what it is


def shortened(text: str, longest: int) -> str:
    """Return ``text`` on one line of at most ``longest`` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def console() -> Console:
    """Return the terminal, or a wide page where there is none."""
    found = Console()
    return found if found.is_terminal else Console(width=_WIDTH_WITHOUT_TERMINAL)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
