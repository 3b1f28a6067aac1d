"""Writes ``docs/schema.md`` from the tables: ``python -m adastar_core.store.describe > docs/schema.md``."""

import sys
from collections.abc import Iterator

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Table, UniqueConstraint, make_url

from adastar_core.store.tables import PARTITIONED, SCHEMA_REVISION, metadata

_DIALECT = make_url("postgresql+psycopg2://").get_dialect()()
_HEAD = f"""# Database schema

Made by `python -m adastar_core.store.describe`; revision {SCHEMA_REVISION}. Change `adastar_core/store/tables.py` instead.

Every table of a run begins its key with `run_id`. Tables marked *by run* have one partition per run, named
`<table>_r<run_id>`; query the table itself. `position` is an observation's zero-based place in its dataset.
"""


def describe() -> str:
    return "\n".join([_HEAD, *(line for table in metadata.tables.values() for line in _table(table))])


def _table(table: Table) -> Iterator[str]:
    by_run = " *By run.*" if table in PARTITIONED else ""
    yield f"## {table.name}\n"
    yield f"{table.comment}{by_run}\n"
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    for column in table.columns:
        name = f"**{column.name}**" if column.primary_key else column.name
        kind = column.type.compile(dialect=_DIALECT).lower().replace(' collate "c"', "")
        yield f"| {name} | {kind}{', may be null' if column.nullable else ''} | {column.comment} |"
    yield ""
    rules = [rule for constraint in table.constraints for rule in _rule(constraint)]
    if rules:
        yield from sorted(rules)
        yield ""


def _rule(constraint: object) -> Iterator[str]:
    match constraint:
        case UniqueConstraint():
            yield f"* unique: {_columns(constraint)}"
        case ForeignKeyConstraint():
            yield f"* {_columns(constraint)} refers to {constraint.elements[0].column.table.name}"
        case CheckConstraint():
            yield f"* always: `{constraint.sqltext}`"


def _columns(constraint: UniqueConstraint | ForeignKeyConstraint) -> str:
    return ", ".join(column.name for column in constraint.columns)


if __name__ == "__main__":
    sys.stdout.write(describe())
