"""Whole small runs on an engine, undisturbed and killed, for the tests of every generator."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Engine

from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.store.runs import find_run
from tests.crash.killer import Hit
from tests.support.runs import outcome_of, run_iteration, small_config

ITERATIONS = (1, 2)
INVARIANT = ("statistics", "events", "training examples", "accepted rollouts", "iterations", "checkpoints")
POINTS = (Hit("before-commit", "generate", 2), Hit("after-commit", "evaluate", 1))
"""In the middle of the first iteration's generation, and of its evaluation."""
Outcome = dict[str, list[tuple[object, ...]]]

KILLABLE = """
import json, sys
from pathlib import Path
from adastar_core.config.files import resolve
from adastar_core.runs.opening import open_workspace
from tests.crash.killer import Killer
from tests.support.runs import run_iteration
order = json.loads(sys.argv[1])
Killer(**order["hit"], log=Path(order["log"])).arm()
with open_workspace(resolve(order["config"]), "killed") as workspace:
    for iteration in (1, 2):
        run_iteration(workspace, iteration)
"""


def run_all(workspace: Workspace) -> None:
    """Run every iteration."""
    for iteration in ITERATIONS:
        run_iteration(workspace, iteration)


def undisturbed(database: Engine, home: Path, name: str, *overrides: str) -> Outcome:
    """Return what must not depend on the engine, on batches or on kills, of a run that nothing disturbed."""
    with open_workspace(small_config(database, home, *overrides), name) as workspace:
        run_all(workspace)
        return outcome_of(database, workspace.run_id, *INVARIANT)


def run_until(hit: Hit, database: Engine, home: Path, *overrides: str) -> None:
    """Run the run "killed" in another process, to its end or to the kill."""
    config = small_config(database, home, *overrides).model_dump(mode="json")
    url = database.url.render_as_string(hide_password=False)
    order = {
        "config": {**config, "database_url": url},
        "log": str(home / "killer.log"),
        "hit": asdict(hit),
    }
    result = subprocess.run([sys.executable, "-c", KILLABLE, json.dumps(order)], env=os.environ, check=False)
    assert result.returncode == (0 if hit.kind == "never" else -signal.SIGKILL)


def killed(database: Engine, home: Path, *overrides: str) -> Outcome:
    """Return the same of a run whose process was killed at each of ``POINTS`` and then continued."""
    for hit in (*POINTS, Hit()):
        run_until(hit, database, home, *overrides)
    return outcome_named(database, "killed")


def outcome_named(database: Engine, name: str) -> Outcome:
    """Return the same of a run as it is stored."""
    found = find_run(database, name)
    assert found is not None
    return outcome_of(database, found.run_id, *INVARIANT)
