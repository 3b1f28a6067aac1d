"""Writes many rows in one statement, and only those that are not there yet."""

import itertools
import json
import re
from collections.abc import Iterable, Sequence

from sqlalchemy import Column, Connection, Table, text

_ROWS_PER_STATEMENT = 10_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def insert_new(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> int:
    """Insert the rows whose key is not in the table; return how many that were. The first write stands.

    Each column travels as one JSON array, and as a single value where all rows share it: one statement, no temporary
    table, an exact count, and many times the speed of a multi-row INSERT (``bench/store.py``).

    Args:
        table: Where to.
        columns: The names of the values in each row.
        rows: JSON-like values; every text among them must be :func:`storable`.
    """
    inserted = 0
    remaining = iter(rows)
    while part := list(itertools.islice(remaining, _ROWS_PER_STATEMENT)):
        values = dict(zip(columns, zip(*part, strict=True), strict=True))
        inserted += _insert(connection, table, values)
    return inserted


def _insert(connection: Connection, table: Table, values: dict[str, tuple[object, ...]]) -> int:
    """Insert rows given by column; at least one column travels as an array, so that rows are counted."""
    varying = [name for name, column in values.items() if _varies(column)] or list(values)[:1]
    arrays = {name: json.dumps(values[name], ensure_ascii=False) for name in varying}
    shared = {name: column[0] for name, column in values.items() if name not in arrays}
    kinds = {name: _kind(connection, table.c[name]) for name in values}
    selected = ", ".join(
        f"CAST({'given.' if name in arrays else ':'}{name} AS {kinds[name]})" for name in values
    )
    unfolded = ", ".join(f"json_array_elements_text(CAST(:{name} AS json))" for name in varying)
    statement = text(
        f"INSERT INTO {table.name} ({', '.join(values)}) SELECT {selected} "
        f"FROM ROWS FROM ({unfolded}) AS given ({', '.join(varying)}) ON CONFLICT DO NOTHING"
    )
    return connection.execute(statement, arrays | shared).rowcount


def _kind(connection: Connection, column: Column[object]) -> str:
    """Return a column's type as a cast takes it, which is without its collation."""
    return column.type.compile(connection.dialect).partition(" COLLATE ")[0]


def _varies(column: tuple[object, ...]) -> bool:
    """Return whether the rows differ in a column. Lists count as different: only plain values can be shared."""
    return isinstance(column[0], list) or any(value != column[0] for value in column)


def join_by_hash(connection: Connection) -> None:
    """Keep the planner, for the rest of the transaction, from joining row by row.

    A partition that was just filled has no statistics yet, so it is taken for empty and every row of one side
    looks through all rows of the other.
    """
    connection.execute(text("SELECT set_config('enable_nestloop', 'off', true)"))


def storable(response: str) -> str:
    """Return a model's text with U+FFFD for what Postgres cannot hold: NUL and lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", response)
