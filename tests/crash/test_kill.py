"""kill -9 anywhere: re-run with the same command, the outcome is that of an undisturbed run."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Engine

from adastar_core.store.database import open_database
from adastar_core.store.runs import find_run
from tests.crash.conftest import Run
from tests.support.runs import SMALL, outcome_of

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

BATCH = int(SMALL["generator"]["batch_size"])  # type: ignore[index,call-overload]
SAVE_EVERY = int(SMALL["trainer"]["save_every"])  # type: ignore[index,call-overload]


def write_config(path: Path, **values: object) -> list[str]:
    """Write the small configuration; return the arguments that run it."""
    path.write_text(yaml.safe_dump({**SMALL, **values}))
    return ["--config", str(path), "--run", path.stem]


def work(folder: Path) -> tuple[Counter[str], list[tuple[str, str]]]:
    """Return how much was done in all processes together, and where each kill hit: (kind, stage)."""
    done: Counter[str] = Counter()
    kills = []
    for line in (folder / "killer.log").read_text().splitlines():
        what, first, *rest = line.split()
        if what == "kill":
            kills.append((first, rest[0]))
        else:
            done[what] += int(first)
    return done, kills


def outcome(engine: Engine, name: str) -> dict[str, list[tuple[object, ...]]]:
    """Return everything that must not depend on kills; a run that ended early also tested its best of then."""
    found = find_run(engine, name)
    assert found is not None
    rows = outcome_of(engine, found.run_id)
    return {**rows, "evaluations": [row for row in rows["evaluations"] if row[1] == "validation"]}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A folder for the undisturbed run and one for the other."""
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    return tmp_path / "calm", tmp_path / "killed"


def test_killed_in_every_stage(run: Run, database: Engine, folders: tuple[Path, Path]) -> None:
    """Kill at every point in turn, going on from there; whenever the run ends, it is given one more iteration."""
    calm, killed = folders
    url = database.url.render_as_string(hide_password=False)
    arguments = write_config(killed / "killed.yaml", database_url=url, home=str(killed / "home"))
    iterations = 1
    for kind, stage, number in POINTS:
        status = 0
        while status == 0:
            longer = ["--set", f"iterations={iterations}"]
            status = run([*arguments, *longer], killed, kind, stage, number)
            iterations += status == 0
        assert status == -9, (killed / "output.log").read_text()
    assert run([*arguments, *longer], killed) == 0

    undisturbed = write_config(calm / "calm.yaml", database_url=url, home=str(calm / "home"))
    assert run([*undisturbed, *longer], calm) == 0
    assert outcome(database, "killed") == outcome(database, "calm")
    done, kills = work(killed)
    assert kills == [(kind, stage) for kind, stage, _ in POINTS]
    once, _ = work(calm)
    # A run that ended early also tested its best checkpoint of then.
    early = int(SMALL["problem"]["test"]) * (iterations - 1)  # type: ignore[index,call-overload]
    assert done["generated"] <= once["generated"] + BATCH * len(kills) + early
    in_training = sum(stage == "finetune" for _, stage in kills)
    assert done["trained"] <= once["trained"] + (SAVE_EVERY + 1) * in_training


def test_the_local_postgres_killed(
    run: Run, make_home: Callable[[], Path], folders: tuple[Path, Path]
) -> None:
    calm, killed = folders
    home = make_home()
    assert run(write_config(calm / "calm.yaml", home=str(home)), calm) == 0
    arguments = write_config(killed / "killed.yaml", home=str(home))
    (pid_file,) = home.glob("postgres/**/postmaster.pid")
    for number in (9, 20):
        assert run(arguments, killed, "after-commit", "any", number, str(pid_file)) == 1
        assert "the same command continues the run" in (killed / "output.log").read_text()
    assert run(arguments, killed) == 0, (killed / "output.log").read_text()
    engine = open_database(None, home)
    assert outcome(engine, "killed") == outcome(engine, "calm")
    engine.dispose()
