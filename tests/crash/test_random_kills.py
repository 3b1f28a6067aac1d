"""Seeded rounds of kill -9 at random moments: flow, database or Prefect server, whatever they are doing.

``ADASTAR_SOAK_ROUNDS`` is how many (`make soak` has 200), ``ADASTAR_SOAK_SEED`` which ones.
"""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from adastar_core.audit.stored import open_stored
from adastar_core.audit.verify import verify
from adastar_core.store.database import open_database
from adastar_core.store.runs import find_run
from adastar_core.streams import generator
from tests.crash.conftest import Run
from tests.crash.test_kill import outcome, work, write_config
from tests.support.prefect_server import PrefectServer

ROUNDS = int(os.environ.get("ADASTAR_SOAK_ROUNDS", "2"))
SEED = int(os.environ.get("ADASTAR_SOAK_SEED", "0"))
KINDS = {"before-commit": 30, "after-commit": 30, "forward": 400, "rename": 4}
"""What is counted, and the largest number of it after which the kill comes."""

VICTIMS = {"flow": 0.7, "database": 0.2, "server": 0.1}
ITERATIONS = 2


def test_random_kills(
    run: Run, prefect: PrefectServer, make_home: Callable[[], Path], tmp_path: Path
) -> None:
    """After every round the record is sound; after as many as it takes, the outcome is the undisturbed one."""
    home = make_home()
    longer = ["--set", f"iterations={ITERATIONS}"]
    calm = _folder(tmp_path, "calm")
    assert run([*write_config(calm / "calm.yaml", home=str(home)), *longer], calm) == 0
    (pid_file,) = home.glob("postgres/**/postmaster.pid")
    files = {"flow": "", "database": str(pid_file), "server": str(prefect.kill_file)}
    engine = open_database(None, home)
    undisturbed = outcome(engine, "calm")

    chance = generator(SEED, "soak")
    killed, runs = Counter[str](), 0
    with prefect.guarded():
        while killed.total() < ROUNDS:
            name = f"run-{runs}"
            folder = _folder(tmp_path, name)
            arguments = [*write_config(folder / f"{name}.yaml", home=str(home)), *longer]
            status = -1
            while status != 0:
                prefect.wait_until_healthy()
                victim, kind, number = _draw(chance)
                before = len(_kills(folder))
                if killed.total() < ROUNDS:
                    status = run(arguments, folder, kind, "any", number, files[victim])
                else:
                    status = run(arguments, folder)
                assert status in (0, 1, -9), (folder / "output.log").read_text()
                if len(_kills(folder)) > before:
                    killed[victim] += 1
                else:
                    assert status == 0, (folder / "output.log").read_text()
                engine.dispose()
                engine = open_database(None, home)
                if find_run(engine, name):  # else it was killed before it was created
                    stored = open_stored(engine, home, name)
                    assert [one.violation for one in verify(stored) if one.violation] == []
            assert outcome(engine, name) == undisturbed
            runs += 1
    engine.dispose()
    print(f"\nseed {SEED}: {killed.total()} kills in {runs} runs: {dict(killed)}")


def _draw(chance: np.random.Generator) -> tuple[str, str, int]:
    """Return who is killed, and at the how-many-th event of which kind."""
    victim = str(chance.choice(list(VICTIMS), p=list(VICTIMS.values())))
    kind = str(chance.choice(list(KINDS)))
    return victim, kind, int(chance.integers(1, KINDS[kind] + 1))


def _kills(folder: Path) -> list[tuple[str, str]]:
    return work(folder)[1] if (folder / "killer.log").exists() else []


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
