"""Faults that are no kills: a full disk, a stopped owner, a clock that jumps back, a bad network, two runs at once."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core.audit.stored import open_stored
from adastar_core.audit.verify import verify
from adastar_core.store.database import open_database
from adastar_core.store.local import stop_local_postgres
from adastar_core.store.runs import find_run
from tests.crash.conftest import Run
from tests.crash.test_kill import outcome, write_config
from tests.support.proxy import bad_network

ITERATIONS = ["--set", "iterations=2"]


def prepare(folder: Path, name: str, database: Engine, **values: object) -> list[str]:
    """Return the arguments of a run with this name."""
    url = database.url.render_as_string(hide_password=False)
    home = str(folder / "home")
    return [
        *write_config(folder / f"{name}.yaml", **{"database_url": url, "home": home, **values}),
        *ITERATIONS,
    ]


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` gives something true, for a minute at most."""
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError("waited a minute in vain")


def rollouts(database: Engine, name: str) -> int:
    """Return how many attempts of a run are stored."""
    query = text("SELECT count(*) FROM rollouts JOIN runs USING (run_id) WHERE name = :name")
    with database.connect() as connection:
        return int(str(connection.scalar(query, {"name": name})))


def require_sound(database: Engine, home: Path, name: str) -> None:
    """Check a run's whole record, if it was created at all."""
    if find_run(database, name):
        assert [one.violation for one in verify(open_stored(database, home, name)) if one.violation] == []


def test_a_stopped_owner_that_wakes_up_after_a_takeover_writes_nothing(
    run: Run, database: Engine, tmp_path: Path
) -> None:
    assert run(prepare(tmp_path, "calm", database), tmp_path) == 0
    arguments = prepare(tmp_path, "mine", database)
    stopped = run.start(arguments, tmp_path)
    wait_for(lambda: rollouts(database, "mine") > 20)
    os.kill(stopped, signal.SIGSTOP)
    assert run(arguments, tmp_path) == 2
    assert f"process {stopped} on" in (tmp_path / "output.log").read_text()

    with database.begin() as connection:  # what a server does that finds its client gone
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'adastar mine'"
            )
        )
    assert run(arguments, tmp_path) == 0
    taken_over = outcome(database, "mine")
    os.kill(stopped, signal.SIGCONT)
    assert run.wait(stopped) == 1
    assert outcome(database, "mine") == taken_over == outcome(database, "calm")
    assert find_run(database, "mine").status == "finished"  # type: ignore[union-attr]


def test_two_runs_at_once_keep_separate_statistics(run: Run, database: Engine, tmp_path: Path) -> None:
    names = {"one": 1, "two": 2}
    for name, seed in names.items():
        assert run(prepare(tmp_path, f"{name}-alone", database, seed=seed), tmp_path) == 0
    running = [
        run.start(prepare(tmp_path, name, database, seed=seed), tmp_path) for name, seed in names.items()
    ]
    assert [run.wait(one) for one in running] == [0, 0]
    for name in names:
        assert outcome(database, name) == outcome(database, f"{name}-alone")
    assert outcome(database, "one") != outcome(database, "two")


def test_a_clock_that_jumps_back_changes_nothing(run: Run, database: Engine, tmp_path: Path) -> None:
    if run.clock is None:
        pytest.skip("there is no C compiler to make a clock that can be set")
    assert run(prepare(tmp_path, "calm", database), tmp_path) == 0
    jumping = run.start(prepare(tmp_path, "jump", database), tmp_path)
    wait_for(lambda: rollouts(database, "jump") > 20)
    run.clock.touch()
    try:
        assert run.wait(jumping) == 0
    finally:
        run.clock.unlink()
    assert outcome(database, "jump") == outcome(database, "calm")


def test_a_slow_network_and_connections_that_are_cut(run: Run, database: Engine, tmp_path: Path) -> None:
    assert run(prepare(tmp_path, "calm", database), tmp_path) == 0
    with bad_network(database.url, delay_seconds=0.01) as network:
        url = network.url.render_as_string(hide_password=False)
        arguments = prepare(tmp_path, "mine", database, database_url=url)
        for stored in (1, 30, 60):  # between transactions, a run does not even notice
            cut = run.start(arguments, tmp_path)
            wait_for(lambda stored=stored: rollouts(database, "mine") > stored)
            network.cut()
            if run.wait(cut):
                assert "the same command continues the run" in (tmp_path / "output.log").read_text()
            require_sound(database, tmp_path / "home", "mine")
        assert network.cuts == 3
        assert run(arguments, tmp_path) == 0
    assert outcome(database, "mine") == outcome(database, "calm")


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Yield a file system of this size; only root may make one."""
    folder = Path(tempfile.mkdtemp(prefix="adastar-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a small disk needs the right to mount one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def leave(folder: Path, free_bytes: int) -> None:
    """Fill the disk up to so many free bytes."""
    with (folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while (left := shutil.disk_usage(folder).free - free_bytes) > 0:
            file.write(bytes(min(left, 1 << 20)))


SAID = {
    "database": "database failed|local database",
    "checkpoint": "disk is full|GB free, and training needs",
}


def test_a_disk_that_fills_up_while_rollouts_and_checkpoints_are_written(run: Run, tmp_path: Path) -> None:
    """Database and checkpoints share the disk; whichever write fails, the same command goes on once there is room."""
    failed = Counter[str]()
    with small_disk(1500) as disk:
        home = disk / "home"
        home.mkdir(mode=0o711)
        arguments = [
            [*write_config(tmp_path / f"{name}.yaml", home=str(home)), *ITERATIONS]
            for name in ("calm", "mine")
        ]
        try:
            assert run(arguments[0], tmp_path) == 0
            for kilobytes in (0, 300, 3000, 6000):
                (tmp_path / "output.log").unlink()
                assert fail_for_want_of_room(run, arguments[1], tmp_path, disk, kilobytes)
                said = (tmp_path / "output.log").read_text()
                assert "Traceback" not in said
                failed.update(part for part, words in SAID.items() if re.search(words, said))
            assert failed.total() == 4
            assert set(failed) == set(SAID)
            assert run(arguments[1], tmp_path) == 0, (tmp_path / "output.log").read_text()
            engine = open_database(None, home)
            assert outcome(engine, "mine") == outcome(engine, "calm")
            engine.dispose()
        finally:
            stop_local_postgres(home)


def fail_for_want_of_room(run: Run, arguments: list[str], folder: Path, disk: Path, kilobytes: int) -> int:
    """Fill the disk during a run, make room again, check what is stored, and return the run's exit status."""
    engine = open_database(None, disk / "home")
    stored = rollouts(engine, "mine")
    running = run.start(arguments, folder)
    wait_for(lambda: rollouts(engine, "mine") > stored)
    engine.dispose()
    leave(disk, kilobytes * 1024)
    status = run.wait(running)
    (disk / "filler").unlink()
    engine = open_database(None, disk / "home")
    require_sound(engine, disk / "home", "mine")
    engine.dispose()
    return status
