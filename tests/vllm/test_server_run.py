"""The main job on a server: what transformers does in this process, in any batch size, killed and continued."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from adastar_core.models.source import resolve_model
from tests.support.engine_runs import killed, undisturbed
from tests.vllm.serving import Server

SMALL = ("generator.dtype=float32", "problem.train=60")


@pytest.mark.slow
def test_neither_batches_nor_kills_nor_the_server_change_a_run(database: Engine, tmp_path: Path) -> None:
    """Where two tokens nearly tie engines could part; these seeds have no such tie."""
    with Server(resolve_model("tiny-adder"), tmp_path / "server.log") as server:
        openai = ("type=openai", "openai.plugins=true", f"openai.url={server.url}")
        there = (*SMALL, *(f"generator.{one}" for one in openai))
        calm = undisturbed(database, tmp_path, "calm", *there, "generator.batch_size=7")
        assert killed(database, tmp_path, *there, "generator.batch_size=512") == calm
    assert undisturbed(database, tmp_path, "here", *SMALL, "generator.type=transformers") == calm
