"""Whole iterations on a real model: what comes out, what it cost, and the same digits after kills."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from sqlalchemy import URL, Engine, text
from transformers import AutoModelForCausalLM, AutoTokenizer

from adastar_core.audit.publish import Licenses, publish
from adastar_core.audit.verify import verify
from adastar_core.config import RunConfig
from adastar_core.models.checkpoints import digest_of
from adastar_core.planning.forecast import Assumptions
from adastar_core.planning.plan import plan_of
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import StoredRun, open_stored
from adastar_core.store.database import connect
from tests.conftest import new_database
from tests.real.job import NAME, config_of, work
from tests.stages.test_forecast import COSTS
from tests.support.runs import outcome_of, run_iteration

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 400
MEANS = text(
    "SELECT (SELECT sum(accepted)::float / sum(m) FROM iterations WHERE run_id = :run) AS acceptance, "
    "(SELECT avg(generated_tokens)::float FROM rollouts WHERE run_id = :run) AS tokens"
)


@pytest.fixture(scope="module")
def own_database(administrator: Engine, server: URL, template: str) -> Iterator[Engine]:
    with new_database(administrator, "real_calm", template):
        engine = connect(server.set(database="real_calm"))
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def calm(
    own_database: Engine, smollm: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[StoredRun, RunConfig]:
    """Two iterations that nothing happened to: few-shot, plain text, all parameters, packed, float32."""
    home = tmp_path_factory.mktemp("calm")
    config = config_of(own_database, home, questions)
    with open_workspace(config, NAME) as workspace:
        work(workspace)
    return open_stored(own_database, home, NAME), config


def test_two_iterations_train_on_what_the_model_said(calm: tuple[StoredRun, RunConfig], smollm: Path) -> None:
    run, _ = calm
    assert [one.violation for one in verify(run) if one.violation] == []
    assert run.checkpoint(0).sha256 == digest_of(smollm)
    found = outcome_of(run.engine, run.run_id)
    assert len({row[2] for row in found["checkpoints"]}) == 3
    assert {row[0] for row in found["training examples"]} == {1, 2}
    assert all("Q:" not in str(row[4]) for row in found["accepted rollouts"])


def test_a_published_checkpoint_answers_as_it_did_in_the_run(
    calm: tuple[StoredRun, RunConfig], tmp_path: Path
) -> None:
    run, _ = calm
    made = publish(run, tmp_path / "published", 2, Licenses(model="apache-2.0"))
    assert made.examples > 0
    ids = AutoTokenizer.from_pretrained(tmp_path / "published" / "model")("1, 2, 3, 4,", return_tensors="pt")
    scores = []
    for folder in (
        Path(run.checkpoint(2).path),
        tmp_path / "published" / "model",
        Path(run.checkpoint(0).path),
    ):
        with torch.inference_mode():
            scores.append(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(**ids).logits)
    torch.testing.assert_close(scores[0], scores[1], rtol=0, atol=0)
    assert not torch.equal(scores[0], scores[2])


def test_the_run_cost_what_the_plan_says_of_it(calm: tuple[StoredRun, RunConfig]) -> None:
    run, config = calm
    with run.engine.connect() as connection:
        means = connection.execute(MEANS, {"run": run.run_id}).one()
        costs = connection.execute(COSTS, {"run": run.run_id}).one()
    plan = plan_of(config, Assumptions(means.acceptance, means.tokens))
    assert plan.expected_pflops * 1e15 == pytest.approx(costs.flops, rel=0.5)


def test_a_run_that_is_killed_while_it_generates_trains_and_saves_ends_with_the_same_digits(
    calm: tuple[StoredRun, RunConfig], database: Engine, questions: Path, tmp_path: Path
) -> None:
    config = config_of(database, tmp_path, questions)
    path = tmp_path / "config.json"
    values = config.model_dump(mode="json", exclude_unset=True)
    path.write_text(
        json.dumps({**values, "database_url": database.url.render_as_string(hide_password=False)})
    )
    kill_when(started(path), lambda: count(database, "rollouts") > 0)
    assert count(database, "training_examples") == 0
    kill_when(started(path), lambda: count(database, "iterations", "phase = 'sampled'") == 1)
    kill_when(started(path), lambda: any(tmp_path.glob("runs/*/checkpoints/.iteration-0001.partial-*")))
    assert count(database, "checkpoints") == 1  # the base model
    process = started(path)
    assert process.wait(PATIENCE_SECONDS) == 0
    run = open_stored(database, tmp_path, NAME)
    undisturbed, _ = calm
    assert outcome_of(database, run.run_id) == outcome_of(undisturbed.engine, undisturbed.run_id)


def started(path: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.real.job", str(path)], cwd=ROOT)


def kill_when(process: "subprocess.Popen[bytes]", reached: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < until
        time.sleep(0.05)
    process.kill()
    process.wait()


def count(engine: Engine, table: str, where: str = "true") -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one())


def test_an_iteration_in_the_chat_template_with_lora_in_bfloat16(
    database: Engine, smollm: Path, questions: Path, tmp_path: Path
) -> None:
    choices = ("prompt.chat=true", "trainer.lora.rank=4", "trainer.batching=padded", "iterations=1")
    formats = ("generator.dtype=bfloat16", "trainer.dtype=bfloat16")
    with open_workspace(config_of(database, tmp_path, questions, *choices, *formats), NAME) as workspace:
        run_iteration(workspace, 1)
    run = open_stored(database, tmp_path, NAME)
    assert [one.violation for one in verify(run) if one.violation] == []
    assert (Path(run.checkpoint(1).path) / "adapter").is_dir()
    with database.connect() as connection:
        ends = connection.execute(text("SELECT tokens FROM rollouts WHERE finish_reason = 'eos'")).all()
    assert ends, "a model that was tuned to chat ends its messages"
