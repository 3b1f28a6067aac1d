"""The report on a terminal: the result, the table per iteration, and where everything lies."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from adastar_core.report.records import RunReport
from adastar_core.report.text import headline, table


def print_report(report: RunReport, places: Mapping[str, Path | str], console: Console) -> None:
    """Print the table, the result in a sentence, the notes, and the places by name."""
    console.print()
    console.print(table(report))
    console.print(headline(report), highlight=False, soft_wrap=True)
    for note in report.notes:
        console.print(f"Note: {note}", highlight=False, soft_wrap=True, markup=False)
    console.print()
    width = max(map(len, places))
    for name, place in places.items():
        console.print(f"{name:{width}}  {place}", highlight=False, soft_wrap=True, markup=False)
