"""Waits for another process's work outlast every limit on sessions, and end with the holder."""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import URL, Connection, Engine, Table, create_engine, text

from adastar_core.errors import LostLease
from adastar_core.store import database as database_module
from adastar_core.store import observations as observations_module
from adastar_core.store.database import connect
from adastar_core.store.locks import EVALUATION, Lock, acquire, try_lock
from adastar_core.store.migrate import migrate, stored_revision
from adastar_core.store.runs import find_run
from adastar_core.store.tables import SCHEMA_REVISION
from tests.store.conftest import start

LOCK = Lock(EVALUATION, 7, "somebody")
LIMITS = {"lock_timeout": "100ms", "idle_in_transaction_session_timeout": "300ms", "statement_timeout": "2s"}
LONGER_THAN_ANY = 3.0
_HOLDER = """
import sys
from adastar_core.store.database import connect
from adastar_core.store.locks import EVALUATION, Lock, try_lock
from adastar_core.store.urls import parse_url
with try_lock(connect(parse_url(sys.argv[1])), Lock(EVALUATION, 7, "somebody"), "adastar other"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut short what the limits on sessions allow."""
    for name, value in LIMITS.items():
        monkeypatch.setitem(database_module._SESSION_SETTINGS, name, value)


@pytest.fixture
def engine(database: Engine, strict: None) -> Engine:
    """An engine whose sessions have short limits."""
    return connect(database.url)


def test_a_lock_is_acquired_when_the_holder_dies_and_not_before(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", _HOLDER, url]
    said: list[str] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        threading.Timer(LONGER_THAN_ANY, holder.kill).start()
        with acquire(engine, LOCK, "adastar me", said.append):
            assert holder.wait() == -9
            with try_lock(engine, LOCK, "adastar me too") as second:
                assert second is None
    assert len(said) == 1
    assert said[0].startswith("Waiting for somebody (connected as 'adastar other' since 20")


def test_no_transaction_is_open_while_waiting(engine: Engine, database: Engine) -> None:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    )
    open_ones: list[int] = []

    def look(_line: str) -> None:
        with database.connect() as connection:
            open_ones.append(int(str(connection.scalar(query))) - 1)  # the query's own
        release.set()

    release = threading.Event()
    with ThreadPoolExecutor() as pool:
        with try_lock(engine, LOCK, "adastar first"):
            waiting = pool.submit(_acquire, engine, look)
            assert release.wait(30)
        waiting.result()
    assert open_ones == [0]


def _acquire(engine: Engine, notify: Callable[[str], None]) -> None:
    with acquire(engine, LOCK, "adastar second", notify):
        pass


def test_a_held_lock_knows_when_its_session_is_another(engine: Engine) -> None:
    with try_lock(engine, LOCK, "adastar me") as held:
        assert held is not None
        held.require()
        held._session.execute(text("SELECT pg_advisory_unlock_all()"))
        with pytest.raises(LostLease, match="pool_mode = session"):
            held.require()


def test_a_migration_outlasts_the_limits_of_those_who_wait_for_it(
    empty_database: URL, strict: None, caplog: pytest.LogCaptureFixture
) -> None:
    engine = connect(empty_database)
    other = create_engine(empty_database)
    with ThreadPoolExecutor() as pool, other.connect() as migrating:
        migrating.execute(text("SELECT pg_advisory_xact_lock(44453, 0), pg_sleep(0.1)"))
        waiting = pool.submit(migrate, engine)
        with pytest.raises(TimeoutError):
            waiting.result(LONGER_THAN_ANY)
        migrating.rollback()
        waiting.result()
    assert "Waiting for another process to bring the tables up to date" in caplog.text
    with engine.connect() as connection:
        assert stored_revision(connection) == SCHEMA_REVISION
    engine.dispose()
    other.dispose()


def test_a_migration_waits_for_a_backup_without_holding_others_up(
    empty_database: URL, strict: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that a reader keeps; here one of the same name as the first that a migration makes."""
    engine = connect(empty_database)
    other = create_engine(empty_database)
    with ThreadPoolExecutor() as pool, other.connect() as reading:
        reading.execute(text("CREATE TABLE adastar_schema_version (version_num text)"))
        waiting = pool.submit(migrate, engine)
        with pytest.raises(TimeoutError):
            waiting.result(2 * LONGER_THAN_ANY)
        reading.rollback()
        waiting.result()
    assert "a backup, or a run that writes" in caplog.text
    engine.dispose()
    other.dispose()


def test_a_run_waits_for_another_that_stores_the_same_data(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, storing, go_on = observations_module.insert_new, threading.Event(), threading.Event()

    def slow(
        connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[object]]
    ) -> int:
        storing.set()
        while not go_on.wait(0.1):
            connection.execute(text("SELECT 1"))  # as a long import, which is never idle
        return insert(connection, table, columns, rows)

    monkeypatch.setattr(observations_module, "insert_new", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(start, engine, "first")
        assert storing.wait(30)
        second = pool.submit(start, engine, "second")
        with pytest.raises(TimeoutError):
            second.result(LONGER_THAN_ANY)
        go_on.set()
        assert first.result().dataset_id == second.result().dataset_id
    assert find_run(engine, "second") is not None
