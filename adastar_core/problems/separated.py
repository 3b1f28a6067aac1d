"""Tables as text, one row a line: CSV, and the same with semicolons, tabs or bars between the cells."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from adastar_core.errors import DataError
from adastar_core.machine.units import counted
from adastar_core.problems.headers import is_value
from adastar_core.problems.lines import lines
from adastar_core.problems.rows import Row, repeated

_LOOKED_AT, _SHOWN = 500, 40

Cells = tuple[int, list[str]]
"""A row's cells, and the number of the line that it starts on."""


def separated_rows(path: Path) -> list[Row]:
    """Return the rows of a table whose cells are separated as fits every line: the first of the ways that does.

    Raises:
        DataError: None does, there is only one column, no line of names, or a name twice.
    """
    text = [f"{line}\n" for _, line in lines(path)]
    first: DataError | None = None
    for delimiter in "\t,;|" if path.suffix.lower() == ".tsv" else ",;\t|":
        try:
            table = list(_table(path, text, delimiter))
        except DataError as error:
            first = first or error
            continue
        if not table or len(table[0][1]) > 1:
            return _rows(path, table)
        first = first or DataError(
            f"{path}: has one column, {table[0][1][0]!r}. Separate cells by commas, semicolons or tabs."
        )
    assert first is not None
    raise first


def _table(path: Path, text: Sequence[str], delimiter: str) -> Iterator[Cells]:
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    start, width = 1, 0
    try:
        for cells in reader:
            row, width = Row(str(path), start, {}), width or len(cells)
            if not any(cells):
                raise row.broken("the line is empty. Remove it.")
            if len(cells) != width:
                raise row.broken(
                    f"{counted(len(cells), 'cell')} under {counted(width, 'column name')}. Fix or remove the line."
                )
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise Row(str(path), start, {}).broken(f"not CSV ({error}). Fix or remove the line.") from error


def _rows(path: Path, table: Sequence[Cells]) -> list[Row]:
    """Return the rows under the names of the first line; a column without a name is ``column 3``, or left out if empty."""
    if not table:
        return []
    (_, header), *below = table
    named = [(place, name.strip()) for place, name in enumerate(header)]
    first = [cells for _, cells in below[:_LOOKED_AT]]
    if first and all(is_value(name, [cells[place] for cells in first]) for place, name in named if name):
        shown = ", ".join(repr(cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}...") for cell in header[:3])
        raise DataError(
            f"{path}: the first line, {shown}, is a row, not the columns' names. Put a line of "
            "names before it, e.g. question,answer."
        )
    names = {
        place: name or f"column {place + 1}"
        for place, name in named
        if name or any(cells[place] for _, cells in below)
    }
    if twice := repeated(list(names.values())):
        raise DataError(f"{path}: two columns are called {twice!r}. Rename or remove one of them.")
    return [Row(str(path), start, {names[at]: cells[at] for at in names}) for start, cells in below]
