"""The main job with vLLM: one engine for all iterations, in any batch size, killed and continued."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, text

from adastar_core.generators.vllm import VllmGenerator
from adastar_core.generators.vllm_processes import MODULE
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from tests.support.engine_runs import INVARIANT, Outcome, killed, undisturbed
from tests.support.runs import outcome_of, run_iteration, small_config

VLLM = ("generator.type=vllm", "generator.vllm.kv_cache_gib=0.125", "problem.train=60")
GENERATED = text(
    "SELECT DISTINCT iteration, checkpoint_sha256 FROM rollouts WHERE run_id = :run ORDER BY iteration"
)
ORPHAN_SECONDS = 60

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
    """Return the engines that this test or its processes started, whatever their parent is now."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if MODULE in process.cmdline() and process.environ().get(MARK) == mark:
                found.add(process.pid)
    return found


def engine_of(workspace: Workspace) -> VllmGenerator:
    engine = workspace.generators._engine
    assert isinstance(engine, VllmGenerator)
    return engine


def watched(database: Engine, home: Path) -> Outcome:
    """Run two iterations in small batches, and see that one engine does both with the weights that it should have."""
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


def test_neither_batches_nor_kills_nor_the_engine_change_a_run(database: Engine, tmp_path: Path) -> None:
    """Where two tokens nearly tie engines could part; these seeds have no such tie."""
    calm = watched(database, tmp_path)
    assert killed(database, tmp_path, *VLLM, "generator.batch_size=512") == calm
    assert undisturbed(database, tmp_path, "transformers", *VLLM, "generator.type=transformers") == calm
