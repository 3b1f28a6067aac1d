"""The main job with vLLM: one engine for all iterations, in any batch size, killed and continued."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, text

from adastar_core.generators.vllm import MODULE, VllmGenerator
from adastar_core.stages.workspace import Workspace, open_workspace
from tests.support.runs import outcome_of, run_iteration, small_config

INVARIANT = ("statistics", "events", "training examples", "accepted rollouts", "iterations", "checkpoints")
VLLM = ("generator.type=vllm", "generator.vllm.kv_cache_gib=0.125", "problem.train=60")
Outcome = dict[str, list[tuple[object, ...]]]
GENERATED = text(
    "SELECT DISTINCT iteration, checkpoint_sha256 FROM rollouts WHERE run_id = :run ORDER BY iteration"
)
ORPHAN_SECONDS = 60

KILLABLE = """
import json, sys
from pathlib import Path
from adastar_core.configfile import resolve
from adastar_core.stages.workspace import open_workspace
from tests.crash.killer import Killer
from tests.support.runs import run_iteration
order = json.loads(sys.argv[1])
Killer(order["kind"], order["stage"], order["number"], Path(order["log"])).arm()
with open_workspace(resolve(order["config"]), "killed") as workspace:
    for iteration in (1, 2):
        run_iteration(workspace, iteration)
"""
POINTS = (("before-commit", "generate", 2), ("after-commit", "evaluate", 1))
"""In the middle of the first iteration's generation, and of its evaluation."""


MARK = "ADASTAR_TEST_ENGINES_OF"


@pytest.fixture(autouse=True)
def _no_engine_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail when a test leaves an engine behind, also of a process that was killed; every engine has to show its mark."""
    mark = str(uuid.uuid4())
    monkeypatch.setenv(MARK, mark)
    yield
    end = time.monotonic() + ORPHAN_SECONDS
    while engines(mark) and time.monotonic() < end:
        time.sleep(0.2)
    assert engines(mark) == set()


def engines(mark: str) -> set[int]:
    """Return the engines, whoever their parent is by now, that this test or its processes started."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if MODULE in process.cmdline() and process.environ().get(MARK) == mark:
                found.add(process.pid)
    return found


def engine_of(workspace: Workspace) -> VllmGenerator:
    engine = workspace.generators._lasting
    assert isinstance(engine, VllmGenerator)
    return engine


def undisturbed(database: Engine, home: Path) -> Outcome:
    """Run two iterations in small batches, on one engine; return what must not depend on that."""
    config = small_config(database, home, *VLLM, "generator.batch_size=7")
    with open_workspace(config, "calm") as workspace:
        run_iteration(workspace, 1)
        pids = engine_of(workspace).pids
        run_iteration(workspace, 2)
        assert engine_of(workspace).pids == pids
        assert engines(os.environ[MARK]) == set(pids)
        assert engine_of(workspace).weights_sha256 == workspace.checkpoint(2).sha256
        with database.connect() as connection:
            generated = connection.execute(GENERATED, {"run": workspace.run_id}).all()
        assert generated == [(t, workspace.checkpoint(t - 1).sha256) for t in (1, 2)]
        return outcome_of(database, workspace.run_id, *INVARIANT)


def killed(database: Engine, home: Path) -> Outcome:
    """Run the same in one batch, killed and continued; return its outcome."""
    config = small_config(database, home, *VLLM, "generator.batch_size=512").model_dump(mode="json")
    url = database.url.render_as_string(hide_password=False)
    order = {"config": {**config, "database_url": url}, "log": str(home / "killer.log")}
    for kind, stage, number in (*POINTS, ("never", "any", 0)):
        given = json.dumps({**order, "kind": kind, "stage": stage, "number": number})
        result = subprocess.run([sys.executable, "-c", KILLABLE, given], env=os.environ, check=False)
        assert result.returncode == (0 if kind == "never" else -signal.SIGKILL)
    with database.connect() as connection:
        run_id = connection.execute(text("SELECT run_id FROM runs WHERE name = 'killed'")).scalar_one()
    return outcome_of(database, run_id, *INVARIANT)


def on_transformers(database: Engine, home: Path) -> Outcome:
    """Run the same on transformers, whose streams are the same."""
    config = small_config(database, home, *VLLM, "generator.type=transformers")
    with open_workspace(config, "transformers") as workspace:
        for iteration in (1, 2):
            run_iteration(workspace, iteration)
        return outcome_of(database, workspace.run_id, *INVARIANT)


def test_neither_batches_nor_kills_nor_the_engine_change_a_run(database: Engine, tmp_path: Path) -> None:
    """Where two tokens nearly tie engines could part; these seeds have no such tie."""
    calm = undisturbed(database, tmp_path)
    assert killed(database, tmp_path) == calm
    assert on_transformers(database, tmp_path) == calm
