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
    """Insert the rows whose key is not in the table; return how many that were. The first write stands.

    The rows travel as one JSON document: one statement, no temporary table, an exact count, and several times
    the speed of a multi-row INSERT (``bench/store.py``).

    Args:
        connection: A transaction.
        table: Where to.
        columns: The names of the values in each row.
        rows: JSON-like values; every text among them must be :func:`storable`.
    """
    names = ", ".join(columns)
    statement = text(
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM json_populate_recordset(NULL::{table.name}, :rows) "
        "ON CONFLICT DO NOTHING"
    )
    inserted = 0
    remaining = iter(rows)
    while part := list(itertools.islice(remaining, _ROWS_PER_STATEMENT)):
        document = json.dumps([dict(zip(columns, row, strict=True)) for row in part], ensure_ascii=False)
        inserted += connection.execute(statement, {"rows": document}).rowcount
    return inserted


def join_by_hash(connection: Connection) -> None:
    """Keep the planner, for the rest of the transaction, from joining row by row.

    A partition that was just filled has no statistics yet, so it is taken for empty and every row of one side
    looks through all rows of the other.
    """
    connection.execute(text("SELECT set_config('enable_nestloop', 'off', true)"))


def storable(response: str) -> str:
    """Return a model's text with U+FFFD for what Postgres cannot hold: NUL and lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", response)
