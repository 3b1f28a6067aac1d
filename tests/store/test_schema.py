from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, text

from adastar_core.store.describe import describe
from adastar_core.store.migrate import VERSION_TABLE, is_ours, migrate, migrations
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


def test_runs_of_the_first_schema_are_brought_along(empty_database: URL) -> None:
    """Their iterations name the verifier that selected, and new columns are there in their partitions."""
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text(FIRST_SCHEMA_RUN))
    migrate(engine)
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT iteration, rejected, verifier FROM iterations ORDER BY iteration")
        ).all()
        kept = connection.scalars(text("SELECT rejected_by FROM verdicts_r1")).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [(1, {}, "number/1"), (2, None, None)]
    assert kept == [None]


def test_owners_without_a_last_sign_of_life_take_what_they_stored_last(empty_database: URL) -> None:
    """The first one stored a checkpoint an hour after it took over, the second one nothing; a third is at work."""
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text(FIRST_SCHEMA_RUN))
        command.upgrade(config, "0007")
        connection.execute(text(OWNERS))
    migrate(engine)
    with engine.connect() as connection:
        worked = connection.scalars(
            text("SELECT extract(epoch FROM seen_at - taken_at)::int FROM owners ORDER BY lease_epoch")
        ).all()
    engine.dispose()
    assert worked == [3600, 0, 120]


OWNERS = """
    UPDATE checkpoints SET created_at = '2026-01-01 10:30' WHERE iteration = 0;
    UPDATE checkpoints SET created_at = '2026-01-01 11:00' WHERE iteration = 1;
    UPDATE rollouts SET created_at = '2026-01-01 13:02';
    INSERT INTO owners VALUES (1, 1, 'a', '0', '2026-01-01 10:00'), (1, 2, 'b', '0', '2026-01-01 12:00'),
                              (1, 3, 'c', '0', '2026-01-01 13:00');
"""

FIRST_SCHEMA_RUN = """
    INSERT INTO datasets (fingerprint, name) VALUES ('f', 'arithmetic');
    INSERT INTO runs (uid, name, dataset_id, config, config_sha256, iterations, code_version, base_model, status, lease_epoch)
    VALUES ('u', 'old', 1, '{}', 'c', 2, '0', 'm', 'running', 1);
    INSERT INTO checkpoints (run_id, iteration, path, sha256, bytes, parameters) VALUES (1, 0, '/', 's', 1, 1), (1, 1, '/', 't', 1, 1);
    INSERT INTO iterations (run_id, iteration, checkpoint_iteration, beta, phase)
    VALUES (1, 1, 0, 1, 'advanced'), (1, 2, 1, 1, 'sampling');
    CREATE TABLE rollouts_r1 PARTITION OF rollouts FOR VALUES IN (1);
    CREATE TABLE verdicts_r1 PARTITION OF verdicts FOR VALUES IN (1);
    CREATE TABLE training_examples_r1 PARTITION OF training_examples FOR VALUES IN (1);
    INSERT INTO rollouts VALUES (1, 1, 0, 1, false, 1, 1, 1, 1, 1, 1, 'eos', 's', 'p', '#### 2');
    INSERT INTO verdicts VALUES (1, 1, 0, 1, 'number/1', 'right', '2', '#### X', 'equals the reference');
    INSERT INTO training_examples VALUES (1, 1, 0, 0, 1, 'd');
"""
