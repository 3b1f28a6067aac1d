"""A row of a table: its fields as text, and errors that name the row by its number."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from adastar_core.errors import DataError

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_SHOWN = 60

Read = TypeVar("Read")


class BrokenRow(DataError):
    """A row that cannot be read; ``brief`` is why, without what to do."""

    def __init__(self, row: "Row", what: str) -> None:
        super().__init__(f"{row.source}, row {row.number}: {what}")
        self.row = row
        self.brief = what.partition(". ")[0].removesuffix(".")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file or of a hub split; its number is 1-based, for text files the line that it starts on."""

    source: str
    number: int
    values: Mapping[str, object]

    def broken(self, what: str) -> "BrokenRow":
        return BrokenRow(self, what)

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
                f"the field {field!r} is missing or null. Fix the row or name another field ({there})."
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


def each(rows: Sequence[Row], read: Callable[[Row], Read]) -> list[Read]:
    """Return what is read of every row.

    Raises:
        DataError: Rows are broken: the one, or how many of how many and the first two.
    """
    done, broken = [], []
    for row in rows:
        try:
            done.append(read(row))
        except BrokenRow as error:
            broken.append(error)
    if len(broken) > 1:
        raise _all_of(broken, len(rows))
    if broken:
        raise broken[0]
    return done


def _all_of(broken: Sequence[BrokenRow], count: int) -> DataError:
    source = broken[0].row.source
    (first, why), (second, why_not) = ((_place(error.row, source), error.brief) for error in broken[:2])
    other = f" and {second}" if why == why_not else f"; {second}: {why_not}"
    return DataError(
        f"{source}: {len(broken):,} of {count:,} rows cannot be read, e.g. {first}: {why}{other}. Fix or remove them, or name "
        "another column."
    )


def _place(row: Row, source: str) -> str:
    return f"row {row.number}" if row.source == source else f"{row.source}, row {row.number}"


def parse_row(source: str, number: int, line: str) -> Row:
    """Return a line of a JSON-lines file as a row; it must be a JSON object."""
    row = Row(source, number, {})
    if not line.strip():
        raise row.broken("the line is empty. Remove it.")
    try:
        values = json.loads(line, object_pairs_hook=without_repeats)
    except _Repeated as error:
        raise row.broken(f"the key {error} occurs twice. Remove one of the two.") from error
    except (ValueError, RecursionError) as error:  # ValueError: a number of thousands of digits
        raise row.broken(f"not a JSON object ({error}). Fix or remove the line.") from error
    if not isinstance(values, dict):
        raise row.broken(f"a JSON {type(values).__name__}, not an object. Write one object per line.")
    return Row(source, number, values)


class _Repeated(ValueError):
    """A name that an object has twice."""


def without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object's fields, for ``object_pairs_hook``; two of one name are refused, where JSON keeps the last."""
    if twice := repeated([name for name, _ in pairs]):
        raise _Repeated(repr(twice))
    return dict(pairs)


def repeated(names: Sequence[str]) -> str | None:
    """Return the first name that is there twice; a column without a name cannot be asked for."""
    return next((name for place, name in enumerate(names) if name and name in names[:place]), None)
