"""What commands print: one JSON document with ``--json``, text for people otherwise."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH_WITHOUT_TERMINAL = 160


def print_json(value: object) -> int:
    """Print a value and return 0, the exit status. Dataclasses are objects, times ISO 8601."""
    print(json.dumps(value, default=_plain, ensure_ascii=False, indent=1))
    return 0


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print a table whose first ``left`` columns are texts and the others numbers. No text is taken for markup."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(" ".join(printable(cell).split("\n"))) for cell in row))
    console().print(table)


def print_line(text: str) -> None:
    console().print(printable(text), markup=False, highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    """Return ``text`` without control characters, so that no stored text can drive a terminal."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


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
