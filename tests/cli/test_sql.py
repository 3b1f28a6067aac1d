"""``adastar sql``: what it prints, and that no query writes, however it tries."""

import csv
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import cli
from adastar_core.postgres.layout import ServerFiles
from adastar_core.postgres.server import start_local_postgres
from adastar_core.store.readonly import READER
from tests.cli.conftest import Adastar, Finished

VALUES = (
    "SELECT 1 AS one, 2.5::numeric AS two, NULL AS none, true AS yes, 'a,\"b' AS words, '[1, {\"k\": null}]'::jsonb AS doc, "
    "'2026-01-02'::date AS day, '\\x00ff'::bytea AS raw, 'NaN'::float8 AS nan, ARRAY[1, 2] AS list, :tail AS last"
)


@pytest.fixture
def run_database(only_read: Engine) -> Engine:
    """No query changes anything, so all share a copy."""
    return only_read


@pytest.fixture
def run_home(finished: Finished, run_database: Engine) -> Path:
    return finished.home


def test_three_forms_of_the_same_rows(adastar: Adastar) -> None:
    query = VALUES.replace(":tail", "'%s :x'")
    status, out, complaint = adastar("sql", query, "--json")
    assert status == 0, complaint
    (row,) = json.loads(out)
    assert row == {
        "one": 1, "two": 2.5, "none": None, "yes": True, "words": 'a,"b', "doc": [1, {"k": None}], "day": "2026-01-02",
        "raw": "\\x00ff", "nan": "nan", "list": [1, 2], "last": "%s :x",
    }  # fmt: skip
    head, *rows = csv.reader(io.StringIO(adastar("sql", query, "--csv")[1]))
    assert head == list(row)
    assert rows == [
        [
            "1",
            "2.5",
            "",
            "true",
            'a,"b',
            '[1, {"k": null}]',
            "2026-01-02",
            "\\x00ff",
            "nan",
            "[1, 2]",
            "%s :x",
        ]
    ]
    out = adastar("sql", query)[1]
    assert out.split()[:4] == ["one", "two", "none", "yes"]
    assert 'a,"b' in out


@pytest.mark.parametrize("rows", [0, 1, 1_000, 2_500])
def test_all_rows_come_in_order(adastar: Adastar, rows: int) -> None:
    query = f"SELECT n FROM generate_series(1, {rows}) n ORDER BY n"
    assert json.loads(adastar("sql", query, "--json")[1]) == [{"n": n} for n in range(1, rows + 1)]
    assert adastar("sql", query, "--csv")[1].split() == ["n", *map(str, range(1, rows + 1))]
    status, out, complaint = adastar("sql", query)
    assert status == 0
    assert out.split() == ["n", *map(str, range(1, min(rows, 1_000) + 1))]
    assert bool(complaint) is (rows > 1_000)


READS = (
    "SHOW server_version",
    "EXPLAIN SELECT 1",
    "TABLE runs",
    "VALUES (1)",
    "WITH a AS (SELECT 1) SELECT * FROM a;",
)


@pytest.mark.parametrize("query", READS)
def test_what_reads_is_answered(adastar: Adastar, query: str) -> None:
    status, out, complaint = adastar("sql", query)
    assert (status, complaint) == (0, "")
    assert out.strip()


WRITES = (
    "DELETE FROM runs",
    "DELETE FROM verdicts RETURNING *",
    "WITH gone AS (DELETE FROM verdicts RETURNING *) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM verdicts",
    "SELECT 1; DELETE FROM verdicts",
    "COMMIT; DELETE FROM verdicts",
    "SELECT 1; COMMIT; BEGIN; DELETE FROM verdicts; COMMIT",
    "SET TRANSACTION READ WRITE",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT set_config('transaction_read_only', 'off', true), query_to_xml('DELETE FROM verdicts', true, true, '')",
    "SELECT set_config('default_transaction_read_only', 'off', false); DELETE FROM verdicts",
    "DO $$ BEGIN COMMIT; DELETE FROM verdicts; COMMIT; END $$",
    "CREATE TABLE mine (a int)",
    "CREATE TEMP TABLE mine AS SELECT 1",
    "COPY runs TO PROGRAM 'touch /tmp/adastar-was-here'",
    "SELECT nextval('runs_run_id_seq')",
    "SELECT * FROM runs FOR UPDATE",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_export(1, '/tmp/adastar-was-here')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    "SELECT set_config('role', 'adastar', false)",
    "SELECT set_config('session_authorization', 'adastar', false)",
    "SELECT ts_stat('DELETE FROM verdicts')",
    "",
    "not SQL",
)


@pytest.mark.parametrize("query", WRITES)
def test_no_query_writes_or_leaves_the_database(adastar: Adastar, run_database: Engine, query: str) -> None:
    counts = text(
        "SELECT (SELECT count(*) FROM verdicts), (SELECT count(*) FROM runs), last_value, is_called, "
        "(SELECT count(*) FROM pg_class WHERE relname = 'mine') FROM runs_run_id_seq"
    )
    with run_database.connect() as connection:
        before = connection.execute(counts).one()
    status, out, complaint = adastar("sql", query)
    assert status == 2
    assert out == ""
    assert complaint.startswith(("adastar: The query failed: ", "adastar: adastar sql takes one statement"))
    assert complaint.count("\n") == 1
    with run_database.connect() as connection:
        assert connection.execute(counts).one() == before
    assert not Path("/tmp/adastar-was-here").exists()


def test_the_reader_may_read_and_is_nobody_else(adastar: Adastar, run_database: Engine) -> None:
    query = "SELECT current_user, session_user, current_setting('transaction_read_only') AS read_only"
    (row,) = json.loads(adastar("sql", query, "--json")[1])
    assert row == {"current_user": READER, "session_user": READER, "read_only": "on"}
    with run_database.connect() as connection:
        rights = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
        assert not any(
            connection.execute(text(f"SELECT {rights} FROM pg_roles WHERE rolname = '{READER}'")).one()
        )


def test_a_user_of_the_server_s_own_may_only_read_too(
    adastar: Adastar, run_database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a server elsewhere there is no reader, and the transaction alone keeps a query from writing."""
    with run_database.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS writer"))
        connection.execute(
            text("CREATE ROLE writer LOGIN PASSWORD 'hunter2' IN ROLE pg_read_all_data, pg_write_all_data")
        )
    url = run_database.url.set(username="writer", password="hunter2")
    monkeypatch.setenv("ADASTAR_DATABASE_URL", url.render_as_string(hide_password=False))
    assert json.loads(adastar("sql", "SELECT current_user", "--json")[1]) == [{"current_user": "writer"}]
    for query in WRITES[:13]:
        assert adastar("sql", query)[0] == 2, query
    assert json.loads(adastar("sql", "SELECT count(*) AS n FROM verdicts", "--json")[1])[0]["n"] > 0
    said = "".join(map(str, adastar("sql")))
    assert "hunter2" not in said
    assert "writer" in said


def test_a_slow_query_is_stopped(adastar: Adastar) -> None:
    status, _, complaint = adastar("sql", "SELECT pg_sleep(60)", "--seconds", "0.2")
    assert status == 2
    assert "longer than 0.2 s" in complaint


def test_a_mistake_is_named(adastar: Adastar) -> None:
    status, _, complaint = adastar("sql", "SELECT respone FROM rollouts")
    assert status == 2
    assert 'column "respone" does not exist' in complaint
    assert "rollouts.response" in complaint
    status, _, complaint = adastar("sql", "SELECT 1 AS a, 2 AS a", "--json")
    assert status == 2
    assert "AS" in complaint


def test_a_query_from_standard_input(adastar: Adastar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 'from a file' AS said\n"))
    assert "from a file" in adastar("sql", "-")[1]


def test_hostile_text_stays_text(adastar: Adastar) -> None:
    status, out, _ = adastar("sql", r"SELECT U&'\001b[31m\202e :smile: [b]' AS said")
    assert status == 0
    assert r"\x1b[31m\u202e :smile: [b]" in out
    (row,) = json.loads(adastar("sql", r"SELECT U&'\001b\202e' AS said", "--json")[1])
    assert row["said"] == "\x1b\u202e"


def test_psql_opens_by_the_printed_command(
    make_home: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With a psql that prints what it was given, since the one of PostgreSQL is not everywhere."""
    monkeypatch.delenv("ADASTAR_DATABASE_URL", raising=False)
    assert callable(make_home)
    home = make_home()
    start_local_postgres(home, durable=False)
    assert cli.main(["sql", "--home", str(home)]) == 0
    out = capsys.readouterr().out
    password = ServerFiles.at(home).password()
    assert password
    assert password not in out
    (line,) = (line for line in out.splitlines() if "psql '" in line)
    command = line.partition(":")[2].strip()
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "psql").write_text('#!/bin/sh\necho "$PGPASSWORD|$1|$PGOPTIONS"\n')
    (programs / "psql").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    said = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, check=True
    ).stdout
    given, conninfo, options = said.strip().split("|")
    assert given == password
    assert "default_transaction_read_only=on" in options
    import psycopg2

    with psycopg2.connect(conninfo, password=given, options=options) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT count(*) FROM runs, pg_settings WHERE pg_settings.name = 'transaction_read_only'"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("on",)
    connection.close()
    assert shlex.split(command)[-2] == "psql"
