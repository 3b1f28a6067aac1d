from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, text

from adastar_core.store.describe import describe
from adastar_core.store.migrate import VERSION_TABLE, is_ours, migrations
from adastar_core.store.tables import PARTITIONED, SCHEMA_REVISION, metadata

CATALOGUE = """
    SELECT c.relname, 'column', a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attcollation,
                     pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> :version
    UNION ALL
    SELECT c.relname, 'table', '', concat_ws(' ', obj_description(c.oid), pg_get_partkeydef(c.oid))
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> :version
    UNION ALL
    SELECT conrelid::regclass::text, 'constraint', conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> :version
    UNION ALL
    SELECT tablename, 'index', indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> :version
    ORDER BY 1, 2, 3
"""


def catalogue(engine: Engine) -> list[tuple[str, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(CATALOGUE), {"version": VERSION_TABLE})]


def test_migrations_make_exactly_the_declared_tables(database: Engine, empty_database: URL) -> None:
    declared = create_engine(empty_database)
    metadata.create_all(declared)
    assert catalogue(database) == catalogue(declared)
    declared.dispose()


def test_alembic_sees_no_difference(database: Engine) -> None:
    options = {"include_name": is_ours, "compare_server_default": True, "version_table": VERSION_TABLE}
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_the_newest_migration_is_the_one_that_the_code_names() -> None:
    assert ScriptDirectory.from_config(migrations()).get_current_head() == SCHEMA_REVISION


def test_migrations_are_one_chain_each_under_its_own_number() -> None:
    scripts = list(ScriptDirectory.from_config(migrations()).walk_revisions())
    numbers = [script.revision for script in scripts]
    files = sorted(path.name for path in Path(scripts[0].path).parent.glob("*.py"))
    assert [name[:4] for name in files] == sorted(set(numbers))
    assert [script.down_revision for script in scripts] == [*numbers[1:], None]
    assert numbers == sorted(numbers, reverse=True)


def test_every_table_and_column_is_described() -> None:
    for table in metadata.tables.values():
        assert table.comment
        assert all(column.comment for column in table.columns), table.name


def test_the_schema_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "schema.md"
    assert page.read_text(encoding="utf-8") == describe(), (
        "run python -m adastar_core.store.describe > docs/schema.md"
    )


def test_partitioned_tables_are_those_that_say_so() -> None:
    declared = {t.name for t in metadata.tables.values() if t.dialect_options["postgresql"]["partition_by"]}
    assert declared == {table.name for table in PARTITIONED}
