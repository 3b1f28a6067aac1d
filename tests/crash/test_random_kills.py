"""Seeded rounds of kill -9 at random moments: flow, database, Prefect server or training processes, whatever they do.

``ADASTAR_SOAK_ROUNDS`` is how many (`make soak` has 200), ``ADASTAR_SOAK_FIRST`` the number of the first, so that they can be
done in pieces, and ``ADASTAR_SOAK_SEED`` which ones. ``pytest -s`` shows the figures, run by run.
"""

import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
from sqlalchemy import Engine

from adastar_core.postgres.server import start_local_postgres
from adastar_core.store.database import open_database
from adastar_core.store.runs import drop_run
from adastar_core.streams import rng
from tests.crash.conftest import Run
from tests.crash.killer import Hit
from tests.crash.scene import (
    BATCH,
    SAVE_EVERY,
    Undisturbed,
    on_database,
    outcome,
    require_sound,
    work,
    write_config,
)
from tests.support.prefect_server import PrefectServer

ROUNDS = int(os.environ.get("ADASTAR_SOAK_ROUNDS", "1"))
FIRST = int(os.environ.get("ADASTAR_SOAK_FIRST", "0"))
SEED = int(os.environ.get("ADASTAR_SOAK_SEED", "0"))
KINDS = {"before-commit": 30, "after-commit": 30, "forward": 400, "rename": 4}
"""What is counted, and the largest number of it after which the kill comes."""

VICTIMS = {"flow": 0.7, "database": 0.2, "server": 0.1}
ONE_IN = 20
"""One round in so many is also done to a run that trains in two processes, which takes a while to start."""


@dataclass
class Tally:
    """What the rounds came to so far."""

    kills: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, folder: Path, undisturbed: Undisturbed, kills: int) -> None:
        """Add a finished run: nothing but what a kill interrupted was done twice."""
        self.runs += 1
        repeated = work(folder)[0] - undisturbed.done
        assert repeated["generated"] <= BATCH * kills
        assert repeated["trained"] <= (SAVE_EVERY + 1) * kills
        self.repeated += repeated
        seconds = time.monotonic() - self.began
        print(
            f"\nseed {SEED}, rounds {FIRST} to {FIRST + self.kills.total() - 1}: kills {dict(self.kills)} in {self.runs} runs, "
            f"all sound and as undisturbed; done twice {dict(self.repeated)}; {seconds:.0f} s",
            flush=True,
        )


def test_random_kills(
    run: Run, prefect: PrefectServer, undisturbed: Undisturbed, make_home: Callable[[], Path], tmp_path: Path
) -> None:
    """After every round the record is sound; after as many as it takes, the outcome is the undisturbed one."""
    home = make_home()
    start_local_postgres(home, durable=False)
    (pid_file,) = home.glob("postgres/**/postmaster.pid")
    files = {"flow": "", "database": str(pid_file), "server": str(prefect.kill_file)}
    tally = Tally()
    with prefect.guarded():
        while tally.kills.total() < ROUNDS:
            before = tally.kills.total()
            name = f"run-{FIRST + before}"
            folder = _folder(tmp_path, name)
            arguments = write_config(folder / f"{name}.yaml", home=str(home))
            for victim, kind, number in _rounds(tally.kills):
                prefect.wait_until_healthy()
                hits = _hits(folder)
                status = run(arguments, folder, Hit(kind, "any", number, files[victim]))
                tally.kills[victim] += _hits(folder) - hits
                assert status in ((0, 1, -9) if _hits(folder) > hits else (0,)), _output(folder)
                _require_sound(home, name)
                if status == 0:
                    break
            engine = open_database(None, home)
            assert outcome(engine, name) == undisturbed.outcome
            drop_run(engine, name)  # or the next one would copy its work
            engine.dispose()
            tally.add(folder, undisturbed, tally.kills.total() - before)


def _rounds(kills: Counter[str]) -> Iterator[tuple[str, str, int]]:
    """Yield who is killed, and at the how-many-th event of which kind: by the round's number, until all are done."""
    while (number := kills.total()) < ROUNDS:
        chance = rng(SEED, "soak", FIRST + number)
        while kills.total() == number:  # a run that ended before the event has been no round
            victim = str(chance.choice(list(VICTIMS), p=list(VICTIMS.values())))
            kind = str(chance.choice(list(KINDS)))
            yield victim, kind, int(chance.integers(1, KINDS[kind] + 1))
    yield "flow", "never", 0


@pytest.mark.skipif(
    "ADASTAR_SOAK_ROUNDS" not in os.environ, reason="for make soak: ADASTAR_SOAK_ROUNDS is not set"
)
def test_random_kills_of_training_processes(run: Run, database: Engine, tmp_path: Path) -> None:
    """The launcher or one of the two processes that share the training; the flow notices, and the same command resumes."""
    trainer = {"batch_size": 8, "learning_rate": 3e-4, "save_every": 2, "processes": 2}
    calm = _folder(tmp_path, "calm")
    assert run(on_database(calm, "calm", database, trainer=trainer), calm) == 0
    kills, runs, tries = Counter[str](), 0, itertools.count(FIRST)
    while kills.total() < max(1, ROUNDS // ONE_IN):
        name = f"run-{runs}"
        folder = _folder(tmp_path, name)
        arguments = on_database(folder, name, database, trainer=trainer)
        status = 1
        while status:
            working = run.start(arguments, folder)
            if kills.total() < max(1, ROUNDS // ONE_IN):
                kills.update(_kill_in_training(working, rng(SEED, "soak of training", next(tries))))
            status = run.wait(working)
            assert status in (0, 1), _output(folder)
            require_sound(database, folder / "home", name)
        assert outcome(database, name) == outcome(database, "calm")
        runs += 1
    print(f"\nseed {SEED}: training processes killed in {runs} runs: {dict(kills)}")


def _kill_in_training(flow: int, chance: np.random.Generator) -> list[str]:
    """Kill one of the training's processes some time after they were started; return which, if it still ran."""
    while psutil.pid_exists(flow) and psutil.Process(flow).status() != psutil.STATUS_ZOMBIE:
        workers = [one for one in psutil.Process(flow).children(recursive=True) if _is_worker(one)]
        if len(workers) == 3:
            victim = workers[int(chance.integers(3))]
            with suppress(psutil.NoSuchProcess):
                role = "launcher" if "launch" in victim.cmdline() else "process"
                time.sleep(chance.random() * 8)
                victim.send_signal(signal.SIGKILL)
                return [role]
            return []  # the training had ended before the moment came
        time.sleep(0.1)
    return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "adastar_core.trainers.worker" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _require_sound(home: Path, name: str) -> None:
    engine = open_database(None, home)
    require_sound(engine, home, name)
    engine.dispose()


def _hits(folder: Path) -> int:
    return len(work(folder)[1]) if (folder / "killer.log").exists() else 0


def _output(folder: Path) -> str:
    return (folder / "output.log").read_text()


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
