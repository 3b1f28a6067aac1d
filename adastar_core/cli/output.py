"""What commands print: one JSON document with ``--json``, text for people otherwise."""

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adastar_core.machine.visible import json_text, visible

_WIDTH_WITHOUT_TERMINAL = 160
_GAP = 2


def print_json(value: object) -> int:
    """Print a value and return 0, the exit status. Dataclasses are objects, times ISO 8601."""
    print(json_text(value, default=_plain))
    return 0


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print a table whose first ``left`` columns are texts and the others numbers. No text is taken for markup.

    On a terminal so narrow that words or numbers would break, each row is a paragraph with a line per column.
    """
    shown = [[" ".join(visible(cell).split("\n")) for cell in row] for row in rows]
    out = console()
    widths = _widths([headings, *shown], out.width)
    if widths is None:
        out.print(Text("\n\n".join(_paragraph(headings, row) for row in shown)))
        return
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for place, (heading, width) in enumerate(zip(headings, widths, strict=True)):
        table.add_column(heading, justify="left" if place < left else "right", overflow="fold", width=width)
    for row in shown:
        table.add_row(*map(Text, row))
    out.print(table)


def _widths(rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return a width for every column, in which no word breaks; ``None`` where there is no room for that.

    Rich would make the widest column narrower, whatever its words.
    """
    columns = list(zip(*rows, strict=True))
    least = [max(map(cell_len, " ".join(column).split()), default=1) for column in columns]
    most = [max(map(cell_len, column)) for column in columns]
    spare, wanted = room - sum(least) - _GAP * (len(columns) - 1), sum(most) - sum(least)
    if spare < 0:
        return None
    share = min(1.0, spare / wanted) if wanted > 0 else 0.0
    return [low + int(max(high - low, 0) * share) for low, high in zip(least, most, strict=True)]


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
