import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from adastar_core.errors import LostLease, RunConflictError
from adastar_core.records import Ending
from adastar_core.store.lease import Lease, own_run
from adastar_core.store.locks import application_name
from adastar_core.store.provenance import read_wall_seconds
from adastar_core.store.runs import Run, drop_run, find_run, finish_run, read_ending, read_preset
from tests.store.conftest import start

_OWNER = """
import sys, time
from adastar_core.store.database import connect
from adastar_core.store.lease import own_run
from adastar_core.store.runs import find_run
from adastar_core.store.urls import parse_url
engine = connect(parse_url(sys.argv[1]))
with own_run(engine, find_run(engine, "one"), iterations=1, patience=None) as lease:
    print("owned", flush=True)
    with lease.transaction() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(60)")
"""


def status(engine: Engine) -> str:
    run = find_run(engine, "one")
    assert run is not None
    return run.status


def cut_off(engine: Engine) -> None:
    """End every session of the run, as a broken network or an administrator would."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 10_000) FROM pg_stat_activity WHERE application_name = 'adastar one'"
            )
        )


def fail_after_writing(lease: Lease) -> None:
    with lease.transaction() as connection:
        finish_run(connection, lease.run_id, "failed")
        raise ZeroDivisionError


def be_cut_off_while_writing(lease: Lease) -> None:
    with lease.transaction() as connection:
        finish_run(connection, lease.run_id, "failed")
        cut_off(lease.engine)
        connection.execute(text("SELECT 1"))


def test_what_an_owner_writes_is_committed_together(database: Engine) -> None:
    run = start(database)
    with own_run(database, run, iterations=1, patience=None) as lease:
        with pytest.raises(ZeroDivisionError):
            fail_after_writing(lease)
        assert status(database) == "running"
        with lease.transaction() as connection:
            assert connection.scalar(text("SHOW application_name")) == "adastar one"
            finish_run(connection, run.run_id, "failed")
    assert status(database) == "failed"


def test_a_killed_owner_s_time_runs_to_its_last_write_and_the_next_one_s_is_added(database: Engine) -> None:
    run = start(database)
    first = take_and_leave(database, run)
    assert first is not None
    assert first > 0
    with own_run(database, run, iterations=1, patience=None, preset="other") as lease:
        lease.seen()
        with database.connect() as connection:
            both = read_wall_seconds(connection, run.run_id)
        with lease.after_the_report() as connection:
            finish_run(connection, run.run_id, "finished")
    with database.connect() as connection:
        assert first < (both or 0) == read_wall_seconds(connection, run.run_id)
        assert read_preset(connection, run.run_id) == "first"


def take_and_leave(engine: Engine, run: Run) -> float | None:
    """Own the run, write once, and end without a word; return the run's time so far."""
    with own_run(engine, run, iterations=1, patience=None, preset="first") as lease, lease.transaction():
        pass
    with engine.connect() as connection:
        return read_wall_seconds(connection, run.run_id)


def test_writing_threads_do_not_wait_for_each_other_to_tell_the_time(lease: Lease) -> None:
    with lease.transaction(), ThreadPoolExecutor(1) as threads:
        threads.submit(lease.seen).result()


def test_a_database_whose_clock_went_back_takes_no_time_away(database: Engine) -> None:
    run = start(database)
    before = take_and_leave(database, run)
    with database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO owners SELECT run_id, 2, owner, '1', now(), now() - interval '1 day' FROM owners"
            )
        )
        assert read_wall_seconds(connection, run.run_id) == before


def test_a_second_owner_is_refused_and_the_error_names_the_first(database: Engine) -> None:
    run = start(database)
    expected = r"'one' is owned by another process \(process \d+ on .*'adastar one' since 20\d\d-.*--run NAME"
    with own_run(database, run, iterations=1, patience=None):
        with (
            pytest.raises(RunConflictError, match=expected),
            own_run(database, run, iterations=9, patience=None),
        ):
            pass
        with pytest.raises(RunConflictError, match=expected):
            start(database)
        with pytest.raises(RunConflictError, match=expected):
            drop_run(database, "one")
        start(database, "two")
    found = find_run(database, "one")
    assert found is not None
    assert found.iterations == 1
    with own_run(database, run, iterations=1, patience=None):
        pass


def test_an_owner_that_was_cut_off_and_replaced_cannot_write(database: Engine) -> None:
    run = start(database)
    with own_run(database, run, iterations=1, patience=None) as old:
        with pytest.raises(OperationalError):
            be_cut_off_while_writing(old)
        with old.transaction():
            pass  # nobody has taken the run over yet
        cut_off(database)
        with own_run(database, run, iterations=1, patience=None) as new:
            assert new.epoch == old.epoch + 1
            with pytest.raises(LostLease, match="'one' has been taken over"), old.transaction() as connection:
                finish_run(connection, run.run_id, "failed")
            with new.transaction() as connection:
                finish_run(connection, run.run_id, "finished")
    assert status(database) == "finished"


def test_a_dropped_run_cannot_be_written(database: Engine) -> None:
    run = start(database)
    with own_run(database, run, iterations=1, patience=None) as lease:
        cut_off(database)
        assert drop_run(database, "one")
        with pytest.raises(LostLease), lease.transaction():
            pass
    with (
        pytest.raises(RunConflictError, match="dropped"),
        own_run(database, run, iterations=1, patience=None),
    ):
        pass


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_owner_lets_go_even_in_the_middle_of_a_query(database: Engine, way: signal.Signals) -> None:
    run = start(database)
    url = database.url.render_as_string(hide_password=False)
    with subprocess.Popen([sys.executable, "-c", _OWNER, url], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "owned\n"
        owner.send_signal(way)
        killed = time.monotonic()
        _own_eventually(database, run)
    assert time.monotonic() - killed < 10


def _own_eventually(database: Engine, run: Run) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            with own_run(database, run, iterations=1, patience=None):
                return
        except RunConflictError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_long_names_are_cut_at_a_character() -> None:
    assert application_name("é" * 40) == "adastar " + "é" * 27


def test_why_a_run_failed_is_kept_until_somebody_takes_it_over(database: Engine) -> None:
    run = start(database)
    with own_run(database, run, iterations=1, patience=None), database.begin() as connection:
        finish_run(connection, run.run_id, "failed", "no GPU")
    with database.connect() as connection:
        assert read_ending(connection, run.run_id) == Ending("failed", "no GPU")
    with own_run(database, run, iterations=1, patience=None), database.connect() as connection:
        assert read_ending(connection, run.run_id) is None
