"""How a run's process ended, as it is stored and shown: failed, interrupted, cancelled, crashed, and nothing once resumed."""

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.exceptions import Pause, TerminationSignal
from prefect.states import Cancelling
from sqlalchemy import Engine, text

from adastar_core.errors import StageError
from adastar_core.records import Ending
from adastar_core.runs.opening import open_workspace
from adastar_core.store.overview import Overview, find_overview
from flows.signals import Ended
from flows.stopping import END_SECONDS, ending_told_apart
from tests.flows.conftest import ROOT
from tests.support.runs import small_config


def seen(database: Engine) -> Overview:
    with database.connect() as connection:
        found = find_overview(connection, "mine")
    assert found is not None
    return found


def left_by(error: BaseException, database: Engine, home: Path) -> Overview:
    """Open the run, and leave it by an error; return what is seen of it then."""
    opened = open_workspace(small_config(database, home), "mine", explain=ending_told_apart)
    opened.__enter__()
    assert (seen(database).state, seen(database).failure) == ("running", None)
    assert not opened.__exit__(type(error), error, None), "it must not swallow the error"
    return seen(database)


def test_each_ending_is_told_apart_and_cleared_by_the_next_process(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT__FLOW_RUN_ID", raising=False)
    endings: list[tuple[BaseException, str, str]] = [
        (KeyboardInterrupt(), "interrupted", "Ctrl-C."),
        (Ended(signal.SIGHUP), "interrupted", "SIGHUP ended its process."),
        (TerminationSignal(signal.SIGTERM), "interrupted", "SIGTERM ended its process."),
        (Pause(), "interrupted", "Its flow run was suspended in Prefect."),
        (StageError("the data has gone"), "failed", "the data has gone"),
        (ZeroDivisionError("by zero"), "failed", "ZeroDivisionError: by zero"),
    ]
    for error, state, reason in endings:
        found = left_by(error, database, tmp_path)
        assert (found.state, found.failure) == (state, reason)


def test_what_fails_while_a_run_is_opened_says_why_too(database: Engine, tmp_path: Path) -> None:
    config = small_config(database, tmp_path)
    with open_workspace(config, "mine"):
        pass
    with database.begin() as connection:
        connection.execute(text("UPDATE checkpoints SET sha256 = 'another'"))
    with pytest.raises(Exception, match="has a recorded checkpoint"), open_workspace(config, "mine"):
        pass
    assert seen(database).state == "failed"
    assert "has a recorded checkpoint" in str(seen(database).failure)


def test_a_signal_while_the_flow_run_is_being_cancelled_cancels(
    prefect_client: Callable[[], AbstractContextManager[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    @flow
    def started_by_a_worker() -> None: ...

    with prefect_client(), get_client(sync_client=True) as client:
        run = client.create_flow_run(started_by_a_worker)
        monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(run.id))
        stopped = ending_told_apart(TerminationSignal(signal.SIGTERM))
        assert stopped == Ending("interrupted", "SIGTERM ended its process.")
        client.set_flow_run_state(run.id, Cancelling(), force=True)
        for error in (TerminationSignal(signal.SIGTERM), Ended(signal.SIGTERM)):
            assert ending_told_apart(error) == Ending("cancelled", "Its flow run was cancelled in Prefect.")


def test_a_process_that_does_not_end_by_itself_is_ended() -> None:
    """A library may wait for a thread or a server for longer than a cancelled run may take."""
    code = """
import time
from prefect.exceptions import TerminationSignal
from flows import stopping
stopping.END_SECONDS = 0.2
try:
    with stopping.ending_soon():
        raise TerminationSignal(15)
finally:
    time.sleep(600)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 143
    assert END_SECONDS < 10
