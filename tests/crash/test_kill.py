"""kill -9 anywhere: re-run with the same command, the outcome is that of an undisturbed run."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adastar_core.postgres.server import start_local_postgres
from adastar_core.store.database import open_database
from tests.crash.conftest import Run
from tests.crash.killer import Hit
from tests.crash.scene import BATCH, SAVE_EVERY, Undisturbed, on_database, outcome, work, write_config
from tests.support.runs import SMALL

STAGES = ("sample", "generate", "verify", "finetune", "evaluate", "advance")
POINTS = (
    *((side, stage, 1) for stage in STAGES for side in ("before-commit", "after-commit")),
    *(("forward", stage, number) for stage in ("generate", "finetune", "evaluate") for number in (2, 3)),
    ("forward", "generate", 40),
    ("forward", "evaluate", 25),
    ("rename", "finetune", 1),
    ("rename", "finetune", 3),
    ("rename", "between", 1),
    ("rename", "between", 2),
)
"""Where the run is killed, in this order: 24 points on both sides of every commit and in the middle of all work."""


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder for the undisturbed run and one for the other."""
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    return tmp_path / "calm", tmp_path / "killed"


def test_killed_in_every_stage(run: Run, database: Engine, folders: tuple[Path, Path]) -> None:
    """Kill at every point in turn, going on from there; whenever the run ends, it is given one more iteration."""
    calm, killed = folders
    arguments = on_database(killed, "killed", database)
    iterations = 1
    for kind, stage, number in POINTS:
        status = 0
        while status == 0:
            longer = ["--set", f"iterations={iterations}"]
            status = run([*arguments, *longer], killed, Hit(kind, stage, number))
            iterations += status == 0
        assert status == -9, (killed / "output.log").read_text()
    assert run([*arguments, *longer], killed) == 0

    assert run([*on_database(calm, "calm", database), *longer], calm) == 0
    assert outcome(database, "killed") == outcome(database, "calm")
    done, kills = work(killed)
    assert kills == [(kind, stage) for kind, stage, _ in POINTS]
    once, _ = work(calm)
    # A run that ended early also tested its best checkpoint of then.
    early = int(SMALL["problem"]["test"]) * (iterations - 1)  # type: ignore[index]
    assert done["generated"] <= once["generated"] + BATCH * len(kills) + early
    in_training = sum(stage == "finetune" for _, stage in kills)
    assert done["trained"] <= once["trained"] + (SAVE_EVERY + 1) * in_training


def test_the_local_postgres_killed_and_restarted(
    run: Run, undisturbed: Undisturbed, make_home: Callable[[], Path], tmp_path: Path
) -> None:
    """SIGINT is what a restart of the server sends: it ends every connection, then itself."""
    home = make_home()
    start_local_postgres(home, durable=False)
    arguments = write_config(tmp_path / "mine.yaml", home=str(home))
    (pid_file,) = home.glob("postgres/**/postmaster.pid")
    for number, sent in ((9, signal.SIGKILL), (15, signal.SIGINT)):
        assert run(arguments, tmp_path, Hit("after-commit", "any", number, str(pid_file), sent)) == 1
        assert "Run the same command to resume the run" in (tmp_path / "output.log").read_text()
    assert run(arguments, tmp_path) == 0, (tmp_path / "output.log").read_text()
    engine = open_database(None, home)
    assert outcome(engine, "mine") == undisturbed.outcome
    engine.dispose()
