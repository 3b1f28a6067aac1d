"""``adastar sql``: one query of your own on the database, which cannot change it.

::

    adastar sql "SELECT name, status FROM runs"
    adastar sql --csv - < query.sql > answer.csv
    adastar sql                                       how to open psql on the same database
"""

import csv as csv_format
import json as json_format
import math
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from io import StringIO
from itertools import islice
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from psycopg2.extensions import make_dsn
from sqlalchemy import URL

from adastar_core.cli.app import Flag
from adastar_core.cli.options import Common
from adastar_core.cli.output import print_json, print_line, print_table
from adastar_core.errors import UserError
from adastar_core.machine.visible import json_text, visible
from adastar_core.postgres.layout import ServerFiles
from adastar_core.store.readonly import Answer, answer
from adastar_core.store.urls import SECRET_QUERY_KEYS, shown

_ROWS_OF_A_TABLE = 1_000
Value = str | int | float | bool | list[object] | dict[str, object] | None


def sql(
    query: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    csv: Annotated[bool, Flag] = False,
    seconds: Annotated[float, Parameter(metavar="S", validator=Number(gt=0))] = 60.0,
    common: Common = Common(),
) -> int:
    """Print what a query returns.

    Args:
        query: One statement that returns rows; - reads it from standard input. Without it: how to open psql.
        csv: Print all rows as CSV with a header.
        seconds: Longest time for the first rows.
    """
    if csv and common.json:
        raise UserError("--csv and --json are two forms of the same rows. Give one of them.")
    with common.database() as engine:
        if query is None:
            return _how_to_open_psql(engine.url, common)
        given = sys.stdin.read() if query == "-" else query
        with answer(engine, given, seconds=seconds) as found:
            if common.json:
                _print_json(found)
            elif csv:
                _print_csv(found)
            else:
                _print_table(found)
    return 0


def _print_table(found: Answer) -> None:
    rows = [[_cell(value) for value in row] for row in islice(found.rows, _ROWS_OF_A_TABLE + 1)]
    print_table(found.columns, rows[:_ROWS_OF_A_TABLE], left=len(found.columns))
    if len(rows) > _ROWS_OF_A_TABLE:
        print(f"These are the first {_ROWS_OF_A_TABLE:,} rows; --csv and --json print all.", file=sys.stderr)


def _print_csv(found: Answer) -> None:
    line = StringIO()
    writer = csv_format.writer(line, lineterminator="\n")
    for row in _headed(found):
        writer.writerow(row)
        sys.stdout.write(visible(line.getvalue()) if sys.stdout.isatty() else line.getvalue())
        line.seek(0)
        line.truncate()


def _headed(found: Answer) -> Iterator[Sequence[str]]:
    yield found.columns
    for row in found.rows:
        yield [_cell(value) for value in row]


def _print_json(found: Answer) -> None:
    """Print an array with an object per row, a row at a time.

    Raises:
        UserError: Two columns have the same name.
    """
    if twice := {name for name in found.columns if found.columns.count(name) > 1}:
        raise UserError(
            f"Two columns are named {min(twice)!r}, which JSON cannot hold. Name one of them with AS, or use --csv."
        )
    separator = "["
    for row in found.rows:
        values = dict(zip(found.columns, map(_plain, row), strict=True))
        print(separator + "\n" + json_text(values, indent=None), end="")
        separator = ","
    print("[]" if separator == "[" else "\n]")


def _plain(value: object) -> Value:
    """Return a value of the database as JSON has it; what JSON lacks is the text that PostgreSQL would print."""
    match value:
        case Decimal() if value.is_finite():
            return int(value) if value == value.to_integral_value() else float(value)
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_plain(one) for one in value]
        case dict():
            return {str(name): _plain(one) for name, one in value.items()}
        case memoryview():
            return f"\\x{value.hex()}"
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _cell(value: object) -> str:
    plain = _plain(value)
    if plain is None or isinstance(plain, str):
        return plain or ""
    return json_format.dumps(plain, ensure_ascii=False)


def _how_to_open_psql(url: URL, common: Common) -> int:
    command = _psql(url, common)
    if common.json:
        return print_json({"url": shown(url), "psql": command})
    print_line(f"The database is {shown(url)}")
    print_line('One query that reads:    adastar sql "SELECT name, status FROM runs"')
    print_line(f"psql, where installed:   {command}")
    return 0


def _psql(url: URL, common: Common) -> str:
    """Return the command that opens psql there, in transactions that read. psql asks for a password that no file has."""
    fields = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database, **url.query}
    given = {name: str(value) for name, value in fields.items() if value and name not in SECRET_QUERY_KEYS}
    reading = "PGOPTIONS='-c default_transaction_read_only=on' "
    file = ServerFiles.at(common.directory()).password_file
    if not os.environ.get("ADASTAR_DATABASE_URL") and file.exists():
        reading += f'PGPASSWORD="$(cat {shlex.quote(str(file))})" '
    return f"{reading}psql {shlex.quote(make_dsn(**given))}"
