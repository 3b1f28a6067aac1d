"""Connection poolers: one that shares sessions is refused and left as it was; one in session mode works."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from sqlalchemy import URL, Engine, text

from adastar_core.errors import DatabaseError, LostLease, RunConflictError
from adastar_core.store.database import connect, open_database
from adastar_core.store.lease import Lease, own_run
from tests.store.conftest import start
from tests.store.test_database import NOWHERE, render
from tests.store.test_lease import _OWNER, _own_eventually
from tests.support.pooler import pgbouncer

LOCKS = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
    "WHERE datname = current_database())"
)
SHARED = [
    {"pool_mode": "transaction"},
    {"pool_mode": "transaction", "default_pool_size": 1},
    {"pool_mode": "transaction", "default_pool_size": 2},
    {"pool_mode": "transaction", "server_round_robin": 1},
    {"pool_mode": "statement"},
]


def left_behind(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(str(connection.scalar(LOCKS)))


@contextmanager
def busy(url: URL, clients: int) -> Iterator[None]:
    """Have clients work through a pooler, in transactions of a moment each."""
    over = threading.Event()

    def work() -> None:
        connection = psycopg2.connect(
            host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database
        )
        while not over.is_set():
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(random() * 0.003)")
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for one in threads:
        one.start()
    yield
    over.set()
    for one in threads:
        one.join()


@pytest.mark.parametrize("settings", SHARED, ids=str)
def test_a_pooler_that_shares_sessions_is_refused_and_left_as_it_was(
    database: Engine, settings: dict[str, object]
) -> None:
    with pgbouncer(database.url, **settings) as url:
        with pytest.raises(DatabaseError, match="pool_mode = session"):
            open_database(render(url), NOWHERE)
        if settings["pool_mode"] == "transaction":
            with (
                psycopg2.connect(render(url).replace("+psycopg2", "")) as through,
                through.cursor() as cursor,
            ):
                cursor.execute("SHOW lock_timeout")
                assert cursor.fetchone() == ("0",)
        assert left_behind(database) == 0


@pytest.mark.parametrize("round_robin", [0, 1])
def test_a_busy_pooler_that_shares_sessions_is_refused(database: Engine, round_robin: int) -> None:
    settings = {"default_pool_size": 12, "server_round_robin": round_robin}
    with pgbouncer(database.url, pool_mode="transaction", **settings) as url, busy(url, 8):
        for _ in range(5):
            with pytest.raises(DatabaseError, match="its sessions are shared"):
                connect(url)
    assert left_behind(database) == 0


def test_a_pooler_whose_sessions_keep_their_locks_is_refused(database: Engine) -> None:
    with pgbouncer(database.url, pool_mode="session", server_reset_query="") as url:
        with pytest.raises(DatabaseError, match="server_reset_query must be DISCARD ALL"):
            connect(url)
        assert left_behind(database) == 0


def test_a_run_is_owned_through_a_pooler_in_session_mode(database: Engine) -> None:
    """With three sessions for each of two processes, and no more."""
    run = start(database)
    with pgbouncer(database.url, pool_mode="session", default_pool_size=6) as url:
        engine = connect(url)
        with own_run(engine, run, iterations=1, patience=None) as lease:
            with lease.transaction() as connection:
                connection.execute(text("SELECT 1"))
            for other in (engine, database):
                with (
                    pytest.raises(RunConflictError, match="owned by another process"),
                    own_run(other, run, iterations=1, patience=None),
                ):
                    pass
        assert left_behind(database) == 0
        command = [sys.executable, "-c", _OWNER, render(url)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "owned\n"
            owner.send_signal(signal.SIGKILL)
        _own_eventually(engine, run)
        engine.dispose()


def test_a_pooler_that_begins_to_share_sessions_ends_the_run(database: Engine) -> None:
    run = start(database)
    with pgbouncer(database.url, pool_mode="session", admin_users=database.url.username) as url:
        engine = connect(url)
        with own_run(engine, run, iterations=1, patience=None) as lease:
            with lease.transaction():
                pass
            _to_transaction_mode(url)
            with pytest.raises(LostLease, match="pool_mode = session"):
                work(lease, transactions=20)
        engine.dispose()


def work(lease: Lease, transactions: int) -> None:
    for _ in range(transactions):
        with lease.transaction(), lease.engine.connect() as other:
            other.execute(text("SELECT 1"))


def _to_transaction_mode(url: URL) -> None:
    console = psycopg2.connect(host=url.host, port=url.port, user=url.username, dbname="pgbouncer")
    console.autocommit = True
    with console.cursor() as cursor:
        cursor.execute("SET pool_mode = 'transaction'")
    console.close()
