"""Reading rows from files: JSON lines, JSON, CSV and Parquet, with every broken row named by its number."""

import json
from collections.abc import Iterator
from pathlib import Path

from adastar_core.errors import DataError
from adastar_core.problems.lines import lines
from adastar_core.problems.rows import Row, parse_row, repeated, without_repeats
from adastar_core.problems.separated import separated_rows

_FOREIGN = (
    (b"PK\x03\x04", "is a workbook or another archive. Save the table as CSV in UTF-8"),
    (b"\xd0\xcf\x11\xe0", "is a workbook. Save the table as CSV in UTF-8"),
    (b"%PDF", "is a PDF. Give the table that it shows as CSV"),
    (b"\x1f\x8b", "is compressed. Unpack it first, e.g. with gunzip"),
)
"""How files begin that are no tables but are often taken for one, and what to do with each."""


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a local file, in its order.

    Raises:
        DataError: The file is missing, of an unknown kind, empty, or has a broken or an empty line or text that cannot be
            stored.
    """
    try:
        reader = _READERS.get(path.suffix.lower())
        with path.open("rb") as file:
            begins = file.read(8)
        if foreign := next((what for sign, what in _FOREIGN if begins.startswith(sign)), None):
            raise DataError(f"{path}: {foreign}.")
        if reader is None:
            raise DataError(
                f"{path}: cannot read this kind of file. Give one of {', '.join(SUFFIXES)}, or rename it if it is one."
            )
        rows = [row.checked() for row in reader(path)] if begins else []
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}). Check the path and its permissions."
        ) from error
    if not rows:
        raise DataError(f"{path}: holds no rows. Give a file with at least one observation.")
    return rows


def _json_lines(path: Path) -> Iterator[Row]:
    return (parse_row(str(path), number, line) for number, line in lines(path))


def _json_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a JSON document, or those of JSON lines, which many files of this name hold."""
    numbered = list(lines(path))
    try:
        document = json.loads("\n".join(line for _, line in numbered), object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        if numbered and numbered[0][1].lstrip().startswith("{") and _is_json(numbered[0][1]):
            yield from (parse_row(str(path), number, line) for number, line in numbered)
            return
        raise DataError(
            f"{path}: not JSON ({error}). Write an array of objects, or one object per line."
        ) from error
    for number, values in enumerate(_array(path, document), start=1):
        if not isinstance(values, dict):
            raise Row(str(path), number, {}).broken(f"a JSON {type(values).__name__}, not an object.")
        yield Row(str(path), number, values)


def _array(path: Path, document: object) -> list[object]:
    """Return the document if it is an array, else the only array of objects that lies nearest to its top."""
    if isinstance(document, list):
        return document
    level = {"": document}
    while level:
        arrays = {
            place: inner for place, inner in level.items() if isinstance(inner, list) and _are_objects(inner)
        }
        if len(arrays) > 1:
            raise DataError(
                f"{path}: holds {len(arrays)} arrays of objects: {', '.join(arrays)}. Write one of them to a file of its own."
            )
        if arrays:
            return next(iter(arrays.values()))
        level = {
            f"{place}.{name}".removeprefix("."): inner
            for place, outer in level.items()
            if isinstance(outer, dict)
            for name, inner in outer.items()
        }
    raise DataError(f"{path}: holds no array of objects. Write an array with one object per row.")


def _are_objects(array: list[object]) -> bool:
    return any(isinstance(inner, dict) for inner in array)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow  # slow to load, and most data are text
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            if twice := repeated(file.schema_arrow.names):
                raise DataError(f"{path}: two columns are called {twice!r}. Rename or remove one of them.")
            batches = [batch.to_pylist() for batch in file.iter_batches()]
    except (pyarrow.ArrowInvalid, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a Parquet file with UTF-8 texts ({error}). Write it again.") from error
    for number, values in enumerate((row for batch in batches for row in batch), start=1):
        yield Row(str(path), number, values)


_READERS = {
    ".jsonl": _json_lines,
    ".json": _json_rows,
    ".csv": separated_rows,
    ".tsv": separated_rows,
    ".parquet": _parquet_rows,
}
SUFFIXES = tuple(_READERS)
