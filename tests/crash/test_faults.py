"""Faults that are no kills: a full disk, a stopped owner, a clock that jumps back, a bad network, two runs at once."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, text

from adastar_core.postgres.server import stop_local_postgres
from adastar_core.store.database import open_database
from adastar_core.store.runs import find_run
from tests.crash.conftest import Run
from tests.crash.killer import Hit
from tests.crash.scene import SOAK, Undisturbed, on_database, outcome, require_sound, write_config
from tests.support.proxy import bad_network


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` gives something true, for five minutes at most."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError("waited five minutes in vain")


def test_a_stopped_owner_that_wakes_up_after_a_takeover_writes_nothing(
    run: Run, undisturbed: Undisturbed, database: Engine, tmp_path: Path
) -> None:
    arguments = on_database(tmp_path, "mine", database)
    stopped = stop_at(run, arguments, tmp_path, Hit("before-commit", "generate", 2))
    assert run(arguments, tmp_path) == 2
    assert f"process {stopped} on" in (tmp_path / "output.log").read_text()

    with database.begin() as connection:  # what a server does that finds its client gone
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'adastar mine'"
            )
        )
    assert run(arguments, tmp_path) == 0
    os.kill(stopped, signal.SIGCONT)
    assert run.wait(stopped) == 1
    assert outcome(database, "mine") == undisturbed.outcome
    assert find_run(database, "mine").status == "finished"  # type: ignore[union-attr]


def stop_at(run: Run, arguments: list[str], folder: Path, hit: Hit) -> int:
    """Start a run; return its process id once it has stopped at this event, until a SIGCONT."""
    process = run.start(arguments, folder, replace(hit, signal=signal.SIGSTOP))
    over = (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
    wait_for(lambda: psutil.Process(process).status() in over)
    output = (folder / "output.log").read_text()
    assert psutil.Process(process).status() == psutil.STATUS_STOPPED, f"it ended before {hit}:\n{output}"
    return process


def test_two_runs_at_once_keep_separate_statistics(
    run: Run, undisturbed: Undisturbed, database: Engine, tmp_path: Path
) -> None:
    """The small run and one with another seed, in one database."""
    names = {"one": 0, "two": 1}
    running = [
        run.start(on_database(tmp_path, name, database, seed=seed), tmp_path) for name, seed in names.items()
    ]
    assert [run.wait(one) for one in running] == [0, 0]
    assert run(on_database(tmp_path, "two-alone", database, seed=1), tmp_path) == 0
    assert outcome(database, "one") == undisturbed.outcome
    assert outcome(database, "two") == outcome(database, "two-alone") != undisturbed.outcome


def test_a_clock_that_jumps_back_changes_nothing(
    run: Run, undisturbed: Undisturbed, database: Engine, tmp_path: Path
) -> None:
    if run.clock is None:
        pytest.skip("there is no C compiler to make a clock that can be set")
    jumping = stop_at(
        run, on_database(tmp_path, "jump", database), tmp_path, Hit("before-commit", "generate", 2)
    )
    run.clock.touch()
    try:
        os.kill(jumping, signal.SIGCONT)
        assert run.wait(jumping) == 0
    finally:
        run.clock.unlink()
    assert outcome(database, "jump") == undisturbed.outcome


def test_a_slow_network_and_connections_that_are_cut(
    run: Run, undisturbed: Undisturbed, database: Engine, tmp_path: Path
) -> None:
    """Between transactions, a run does not even notice."""
    with bad_network(database.url, delay_seconds=0.01) as network:
        arguments = on_database(
            tmp_path, "mine", database, database_url=network.url.render_as_string(hide_password=False)
        )
        for event in (Hit("before-commit", "generate", 2), Hit("forward", "finetune", 2)):
            cut = stop_at(run, arguments, tmp_path, event)
            network.cut()
            os.kill(cut, signal.SIGCONT)
            if run.wait(cut):
                assert "Run the same command to resume the run" in (tmp_path / "output.log").read_text()
            require_sound(database, tmp_path / "home", "mine")
        assert network.cuts == 2
        assert run(arguments, tmp_path) == 0
    assert outcome(database, "mine") == undisturbed.outcome


def test_a_checkpoint_that_was_changed_is_refused_by_name(
    run: Run, undisturbed: Undisturbed, database: Engine, tmp_path: Path
) -> None:
    arguments = on_database(tmp_path, "mine", database)
    assert run(arguments, tmp_path, Hit("after-commit", "advance", 1)) == -signal.SIGKILL
    (weights,) = tmp_path.glob("home/runs/*/checkpoints/iteration-0001/model.safetensors")
    written = weights.read_bytes()
    weights.write_bytes(written[:-1] + bytes([written[-1] ^ 1]))
    assert run(arguments, tmp_path) == 1
    assert "model.safetensors is changed" in (tmp_path / "output.log").read_text()
    weights.write_bytes(written)
    assert run(arguments, tmp_path) == 0
    assert outcome(database, "mine") == undisturbed.outcome


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


FULL = (
    (Hit("before-commit", "generate", 2), 0),
    (Hit("forward", "finetune", 1), 300),
    (Hit("before-commit", "advance", 1), 0),
    (Hit("rename", "finetune", 1), 0),
    (Hit("before-commit", "finetune", 1), 3000),
)
"""When the disk fills up, and how many kilobytes are left then."""


def test_a_disk_that_fills_up_while_rollouts_and_checkpoints_are_written(
    run: Run, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Database and checkpoints share the disk; whichever write fails, the same command resumes once there is room."""
    said = ""
    with small_disk(1500) as disk:
        home = disk / "home"
        home.mkdir(mode=0o711)
        arguments = write_config(tmp_path / "mine.yaml", home=str(home))
        try:
            for hit, kilobytes in FULL[: None if SOAK else 2]:
                working = stop_at(run, arguments, tmp_path, hit)
                leave(disk, kilobytes * 1024)
                os.kill(working, signal.SIGCONT)
                assert run.wait(working) == 1, (tmp_path / "output.log").read_text()
                (disk / "filler").unlink()
                engine = open_database(None, home)
                require_sound(engine, home, "mine")
                engine.dispose()
                said += (tmp_path / "output.log").read_text()
            assert "Traceback" not in said
            assert re.search("database failed|local database", said)
            assert re.search("disk is full|GB free, and training needs", said)
            assert run(arguments, tmp_path) == 0, (tmp_path / "output.log").read_text()
            engine = open_database(None, home)
            assert outcome(engine, "mine") == undisturbed.outcome
            engine.dispose()
        finally:
            stop_local_postgres(home)
