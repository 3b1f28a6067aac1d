import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, text

from adastar_core.errors import DatabaseError
from adastar_core.postgres.server import start_local_postgres
from adastar_core.store import database as database_module
from adastar_core.store.database import find_database, open_database
from adastar_core.store.migrate import UNRELEASED, VERSION_TABLE, migrate, migrations
from adastar_core.store.tables import SCHEMA_REVISION
from adastar_core.store.urls import parse_url, shown

NOWHERE = Path("/nonexistent")


def render(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def execute(url: URL, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize(
    "url",
    ["postgres://u@h/d", "postgresql://u@h/d", "postgresql+psycopg://u@h/d", "postgresql+psycopg2://u@h/d"],
)
def test_every_postgres_url_gets_the_one_driver(url: str) -> None:
    assert render(parse_url(url)) == "postgresql+psycopg2://u@h/d"


@pytest.mark.parametrize(
    "url", ["sqlite:///x.db", "mysql://u:secret@h/d", "not a url", "http://u:secret@h", ""]
)
def test_another_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseError, match="not a PostgreSQL URL") as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_a_password_with_a_bare_at_sign_is_refused_without_showing_it() -> None:
    with pytest.raises(DatabaseError, match="%40") as caught:
        parse_url("postgresql://u:pa@secret@h/d")
    assert "secret" not in str(caught.value)


def test_the_password_is_hidden_everywhere() -> None:
    assert "secret" not in shown(parse_url("postgresql://u:secret@h/d?sslpassword=secret&password=secret"))


@pytest.mark.parametrize("place", ["u:sesame@127.0.0.1:1/d", "u@127.0.0.1:1/d?password=sesame"])
def test_an_unreachable_server_is_named_without_the_password(place: str) -> None:
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:1/d.*refused") as caught:
        open_database(f"postgresql://{place}", NOWHERE)
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_host_that_never_answers_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(DatabaseError, match="does not answer"):
            open_database(f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/d", NOWHERE)
    assert time.monotonic() - started < 10


def test_a_refused_password_is_not_shown(empty_database: URL) -> None:
    with pytest.raises(DatabaseError) as caught:
        open_database(render(empty_database.set(password="sesame")), NOWHERE)
    assert "sesame" not in str(caught.value)


def test_the_environment_names_the_database(empty_database: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADASTAR_DATABASE_URL", render(empty_database).replace("+psycopg2", ""))
    engine = open_database(None, NOWHERE)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0
    engine.dispose()


def test_without_a_url_the_local_server_holds_the_database(make_home: Callable[[], Path]) -> None:
    home = make_home()
    start_local_postgres(home, durable=False)
    for _ in range(2):
        engine = open_database(None, home)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT current_database()")) == "adastar"
        engine.dispose()


def test_runs_that_start_at_once_on_a_new_home_make_its_database_together(
    make_home: Callable[[], Path],
) -> None:
    home = make_home()
    server = create_engine(start_local_postgres(home, durable=False), isolation_level="AUTOCOMMIT")
    with ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            engines = list(pool.map(lambda _: find_database(None, home), range(8)))
            assert {engine.url.database for engine in engines} == {"adastar"}
            for engine in engines:
                engine.dispose()
            with server.connect() as connection:
                connection.execute(text("DROP DATABASE adastar WITH (FORCE)"))
    server.dispose()


def test_sessions_have_limits_and_a_name(database: Engine) -> None:
    with database.connect() as connection:
        assert connection.scalar(text("SHOW application_name")) == "adastar"
        assert connection.scalar(text("SHOW lock_timeout")) == "1min"
        assert connection.scalar(text("SHOW client_connection_check_interval")) == "1s"


def test_racing_migrations_both_succeed(empty_database: URL) -> None:
    script = (
        "import sys; from pathlib import Path; from adastar_core.store.database import open_database;"
        "open_database(sys.argv[1], Path('/nonexistent')).dispose()"
    )
    command = [sys.executable, "-c", script, render(empty_database)]
    racers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = "".join(racer.communicate(timeout=60)[1] for racer in racers)
    assert all(line.startswith("Waiting for another process") for line in said.splitlines())
    assert [racer.returncode for racer in racers] == [0, 0, 0]


@pytest.mark.parametrize("revision", ["0001", "0008", "0010", "0020"])
def test_a_schema_from_before_the_first_release_is_refused(database: Engine, revision: str) -> None:
    with database.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{revision}'"))
    with pytest.raises(
        DatabaseError, match=f"schema {revision}, which is older than 0009.*adastar db upgrade"
    ):
        migrate(database)


def test_a_newer_schema_is_refused(database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=f"schema 9999, which is newer than {SCHEMA_REVISION}"):
        migrate(database)


def test_no_migration_takes_the_number_of_one_before_the_first_release() -> None:
    known = {script.revision for script in ScriptDirectory.from_config(migrations()).walk_revisions()}
    assert SCHEMA_REVISION in known
    assert known.isdisjoint(UNRELEASED)


def test_another_programs_tables_are_left_alone(empty_database: URL) -> None:
    execute(empty_database, "CREATE TABLE runs (theirs int)")
    with pytest.raises(DatabaseError, match="tables of another program: runs"):
        open_database(render(empty_database), NOWHERE)
    with pytest.raises(DatabaseError, match="tables of another program: runs"):
        open_database(render(empty_database), NOWHERE)


def test_a_user_who_may_not_create_tables_gets_a_clear_error(empty_database: URL) -> None:
    execute(
        empty_database, f"ALTER DATABASE {empty_database.database} SET default_transaction_read_only = on"
    )
    with pytest.raises(DatabaseError, match=r"cannot be brought up to date.*read-only"):
        open_database(render(empty_database), NOWHERE)


def test_an_old_server_is_refused(empty_database: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_OLDEST_SERVER", 990000)
    with pytest.raises(DatabaseError, match="99 or newer is needed"):
        open_database(render(empty_database), NOWHERE)
