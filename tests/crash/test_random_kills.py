"""Seeded rounds of kill -9 at random moments: flow or database, whatever they are doing. `make soak` has many."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from adastar_core.audit.stored import open_stored
from adastar_core.audit.verify import verify
from adastar_core.store.database import open_database
from adastar_core.streams import generator
from tests.crash.test_kill import Run, outcome, run, work, write_config

ROUNDS = int(os.environ.get("ADASTAR_SOAK_ROUNDS", "2"))
KINDS = {"before-commit": 30, "after-commit": 30, "forward": 400, "rename": 4}
"""What is counted, and the largest number of it after which the kill comes."""

ITERATIONS = 2
__all__ = ["run"]


def test_random_kills(run: Run, make_home: Callable[[], Path], tmp_path: Path) -> None:
    """After every round the record is sound; after as many as it takes, the outcome is the undisturbed one."""
    home = make_home()
    calm = _folder(tmp_path, "calm")
    longer = ["--set", f"iterations={ITERATIONS}"]
    assert run([*write_config(calm / "calm.yaml", home=str(home)), *longer], calm) == 0
    (pid_file,) = home.glob("postgres/**/postmaster.pid")
    engine = open_database(None, home)
    undisturbed = outcome(engine, "calm")

    chance = generator(0, "soak")
    killed, runs = Counter[str](), 0
    rounds = ROUNDS
    while rounds:
        folder = _folder(tmp_path, f"run-{runs}")
        arguments = [*write_config(folder / f"run-{runs}.yaml", home=str(home)), *longer]
        status = -1
        while status != 0:
            kind = str(chance.choice(list(KINDS)))
            number = int(chance.integers(1, KINDS[kind] + 1))
            victim = "database" if kind != "forward" and chance.random() < 0.2 else "flow"
            aim = str(pid_file) if victim == "database" else ""
            status = run(arguments, folder, kind, "any", number, aim) if rounds else run(arguments, folder)
            assert status in (0, 1, -9), (folder / "output.log").read_text()
            if status:
                killed[victim] += 1
                rounds -= bool(rounds)
                engine.dispose()
                engine = open_database(None, home)
                stored = open_stored(engine, home, f"run-{runs}")
                assert [one.violation for one in verify(stored) if one.violation] == []
        assert outcome(engine, f"run-{runs}") == undisturbed
        runs += 1
    engine.dispose()
    print(f"{killed.total()} kills in {runs} runs: {dict(killed)}")
    _, hits = work(tmp_path / "run-0")
    assert hits


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder
