"""Reading rows from files: JSON lines, JSON, CSV and Parquet, with every broken row named by its number."""

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from adastar_core.errors import DataError

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file or of a hub split; its number is 1-based, for text files the line that it starts on."""

    source: str
    number: int
    values: Mapping[str, object]

    def broken(self, what: str) -> DataError:
        return DataError(f"{self.source}, row {self.number}: {what}")

    def columns(self) -> Iterator[str]:
        """Yield the fields' names, those of nested fields as ``a.b`` after the field that holds them."""
        for name, value in self.values.items():
            yield str(name)
            if isinstance(value, Mapping):
                yield from (f"{name}.{inner}" for inner in value)

    def get(self, field: str) -> object:
        """Return a field's value, or ``None``; ``"question.stem"`` looks into a nested field, unless a name has a dot itself.

        Case counts only where two names differ by it.
        """
        value: object = self.values
        for name in [field] if field in self.values else field.split("."):
            value = value.get(_name_in(value, name)) if isinstance(value, Mapping) else None
        empty = isinstance(value, float) and math.isnan(value)  # as tables have null numbers
        return None if empty else value

    def value(self, field: str) -> object:
        """Return the same.

        Raises:
            DataError: The row has no such field, or it is null.
        """
        value = self.get(field)
        if value is None:
            there = ", ".join(map(str, self.values))
            raise self.broken(
                f"the field {field!r} is missing or null (fields: {there}). Fix the row or name another field."
            )
        return value

    def text(self, field: str) -> str:
        """Return a field as text without surrounding white space; numbers are written out.

        Raises:
            DataError: The field is missing, empty, or neither text nor a number.
        """
        value = self.value(field)
        text = None if isinstance(value, bool) else cell_text(value)
        if text is None:
            raise self.broken(f"the field {field!r} is a {type(value).__name__}, not text or a number.")
        if not text:
            raise self.broken(f"the field {field!r} is empty. Fill it in or remove the row.")
        return text

    def text_or_empty(self, field: str) -> str:
        """Return a field as text, which may be empty, missing or null; truth values are written out.

        Raises:
            DataError: It holds something else than text, a number or a truth value.
        """
        value = self.get(field)
        text = "" if value is None else cell_text(value)
        if text is None:
            raise self.broken(f"the field {field!r} is a {type(value).__name__}, not text or a number.")
        return text

    def first(self, *fields: str) -> str:
        """Return the :meth:`text` of the first of these fields that the row has; schemas differ in names."""
        return self.text(next((field for field in fields if self.has(field)), fields[0]))

    def checked(self) -> "Row":
        """Return the row itself; refuse texts that cannot be stored, with NUL or half of a surrogate pair."""
        for text in _texts(self.values):
            if found := _UNSTORABLE.search(text):
                raise self.broken(
                    f"the text {text[:_SHOWN]!r} has the character {found[0]!r}, which cannot be stored. Remove it from the row."
                )
        return self

    def has(self, field: str) -> bool:
        return self.values.get(_name_in(self.values, field)) is not None

    def names(self, field: str) -> bool:
        """Return whether the row has the field, which may be nested or null."""
        value: object = self.values
        for name in [field] if field in self.values else field.split("."):
            if not isinstance(value, Mapping) or (spelt := _name_in(value, name)) not in value:
                return False
            value = value[spelt]
        return True


def _name_in(values: Mapping[str, object], name: str) -> str:
    """Return how a mapping spells a name: as it is, else the only name there that differs in case alone."""
    if name in values:
        return name
    alike = [known for known in values if str(known).strip().casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else name


def cell_text(value: object) -> str | None:
    """Return a cell as text without surrounding white space; ``None`` for what is no text, number or truth value."""
    if not isinstance(value, str | int | float | Decimal) or value != value:
        return None
    return str(value).strip()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(name)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a local file, in its order.

    Raises:
        DataError: The file is missing, of an unknown kind, empty, or has a broken or an empty line or text that cannot be
            stored.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: cannot read this kind of file. Give one of {', '.join(SUFFIXES)}.")
    try:
        rows = [row.checked() for row in reader(path)]
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}). Check the path and its permissions."
        ) from error
    if not rows:
        raise DataError(f"{path}: holds no rows. Give a file with at least one observation.")
    return rows


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise Row(str(path), number, {}).broken(
                    f"not UTF-8 ({error.reason}). Save the file as UTF-8."
                ) from error
            yield number, text.rstrip("\r\n")


def _json_lines(path: Path) -> Iterator[Row]:
    return (parse_row(str(path), number, line) for number, line in _lines(path))


def _json_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a JSON document, or those of JSON lines, which many files of this name hold."""
    lines = [(number, line) for number, line in _lines(path)]
    try:
        document = json.loads("\n".join(line for _, line in lines), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        if lines and lines[0][1].lstrip().startswith("{") and _is_json(lines[0][1]):
            yield from (parse_row(str(path), number, line) for number, line in lines)
            return
        raise DataError(
            f"{path}: not JSON ({error}). Write an array of objects, or one object per line."
        ) from error
    inside = (
        [value for value in document.values() if isinstance(value, list)]
        if isinstance(document, dict)
        else []
    )
    found = document if isinstance(document, list) else inside[0] if len(inside) == 1 else None
    if found is None:
        raise DataError(
            f"{path}: holds a JSON {type(document).__name__}, no array. Write an array of objects."
        )
    for number, values in enumerate(found, start=1):
        if not isinstance(values, dict):
            raise Row(str(path), number, {}).broken(f"a JSON {type(values).__name__}, not an object.")
        yield Row(str(path), number, values)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def parse_row(source: str, number: int, line: str) -> Row:
    """Return a line of a JSON-lines file as a row; it must be a JSON object."""
    row = Row(source, number, {})
    if not line.strip():
        raise row.broken("the line is empty. Remove it.")
    try:
        values = json.loads(line, object_pairs_hook=_without_repeats)
    except _Repeated as error:
        raise row.broken(f"the key {error} occurs twice. Remove one of the two.") from error
    except (ValueError, RecursionError) as error:  # ValueError: a number of thousands of digits
        raise row.broken(f"not a JSON object ({error}). Fix or remove the line.") from error
    if not isinstance(values, dict):
        raise row.broken(f"a JSON {type(values).__name__}, not an object. Write one object per line.")
    return Row(source, number, values)


class _Repeated(ValueError):
    """A name that an object has twice."""


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if twice := _repeated([name for name, _ in pairs]):
        raise _Repeated(repr(twice))
    return dict(pairs)


def _repeated(names: Sequence[str]) -> str | None:
    """Return the first name that is there twice; a column without a name cannot be asked for."""
    return next((name for place, name in enumerate(names) if name and name in names[:place]), None)


def _refuse_repeated_columns(path: Path, names: Sequence[str]) -> None:
    if twice := _repeated(names):
        raise DataError(f"{path}: two columns are called {twice!r}. Rename or remove one of them.")


def _csv_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a table whose cells are separated as fits every line: by commas, else semicolons, else tabs."""
    lines = [f"{line}\n" for _, line in _lines(path)]
    first: DataError | None = None
    for delimiter in ",;\t":
        try:
            rows = list(_separated(path, lines, delimiter))
        except DataError as error:
            first = first or error
            continue
        if not rows or len(rows[0].values) > 1:
            yield from rows
            return
        first = first or DataError(
            f"{path}: has one column, {next(iter(rows[0].values))!r}. Separate cells by commas."
        )
    assert first is not None
    raise first


def _separated(path: Path, lines: Sequence[str], delimiter: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    start = 1
    try:
        for cells in reader:
            row = Row(str(path), start, {})
            if not any(cells):
                raise row.broken("the line is empty. Remove it.")
            if header is None:
                header = [name.strip() for name in cells]
                _refuse_repeated_columns(path, header)
            elif len(cells) != len(header):
                raise row.broken(
                    f"{len(cells)} cells under {len(header)} column names. Fix or remove the line."
                )
            else:
                yield Row(str(path), start, dict(zip(header, cells, strict=True)))
            start = reader.line_num + 1
    except csv.Error as error:
        raise Row(str(path), start, {}).broken(f"not CSV ({error}). Fix or remove the line.") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    import pyarrow  # slow to load, and most data are text
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            _refuse_repeated_columns(path, file.schema_arrow.names)
            batches = [batch.to_pylist() for batch in file.iter_batches()]
    except (pyarrow.ArrowInvalid, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a Parquet file with UTF-8 texts ({error}). Write it again.") from error
    for number, values in enumerate((row for batch in batches for row in batch), start=1):
        yield Row(str(path), number, values)


_READERS = {".jsonl": _json_lines, ".json": _json_rows, ".csv": _csv_rows, ".parquet": _parquet_rows}
SUFFIXES = tuple(_READERS)
