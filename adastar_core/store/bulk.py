"""Writes many rows in one statement, and only those that are not there yet."""

import itertools
import json
import re
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Table, text

_ROWS_PER_STATEMENT = 10_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def insert_new(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> int:
    """Insert the rows whose key is not in the table; return how many these were. The first write is kept.

    Each column travels as one JSON array, and as a single value where all rows share it: one statement, no temporary
    table, an exact count, and many times the speed of a multi-row INSERT (``bench/store.py``). Rows hold
    JSON-like values; every text among them must be :func:`storable`.
    """
    # A cast takes a type without its collation.
    kinds = {
        name: table.c[name].type.compile(connection.dialect).partition(" COLLATE ")[0] for name in columns
    }
    inserted, remaining = 0, iter(rows)
    while part := list(itertools.islice(remaining, _ROWS_PER_STATEMENT)):
        values = dict(zip(columns, zip(*part, strict=True), strict=True))
        # Only plain values can be shared; a list always travels in the array.
        varying = [
            name
            for name, column in values.items()
            if isinstance(column[0], list) or any(value != column[0] for value in column)
        ]
        varying = varying or list(columns)[:1]  # one array at least, since its length counts the rows
        arrays = {name: json.dumps(values[name], ensure_ascii=False) for name in varying}
        shared = {name: column[0] for name, column in values.items() if name not in arrays}
        selected = ", ".join(
            f"CAST({'given.' if name in arrays else ':'}{name} AS {kind})" for name, kind in kinds.items()
        )
        unfolded = ", ".join(f"json_array_elements_text(CAST(:{name} AS json))" for name in varying)
        statement = text(
            f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {selected} "
            f"FROM ROWS FROM ({unfolded}) AS given ({', '.join(varying)}) ON CONFLICT DO NOTHING"
        )
        inserted += connection.execute(statement, arrays | shared).rowcount
    return inserted


def join_by_hash(connection: Connection) -> None:
    """Keep the planner, for the rest of the transaction, from joining row by row.

    A partition that was just filled has no planner statistics, so it is taken for empty, and a nested loop would read all
    rows of one side for every row of the other.
    """
    connection.execute(text("SELECT set_config('enable_nestloop', 'off', true)"))


def storable(response: str) -> str:
    """Return a model's text with U+FFFD for what Postgres cannot hold: NUL and lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", response)
