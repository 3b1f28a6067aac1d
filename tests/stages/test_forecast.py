"""Given how often the model is right, a plan forecasts the tokens and the compute of the real run."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.planning.forecast import Assumptions
from adastar_core.planning.needs import needs_of
from adastar_core.planning.plan import plan_of
from adastar_core.planning.timing import time_line
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from adastar_core.store.pace import read_pace
from tests.support.runs import run_iteration, small_config

COSTS = text(
    "SELECT sum(generated_tokens) AS generated, sum(train_tokens) AS trained, sum(flops) AS flops FROM compute "
    "WHERE run_id = :run AND stage NOT LIKE 'evaluate%' AND stage NOT LIKE '%surplus%'"
)
SECONDS = text("SELECT split_part(stage, ' ', 1), sum(seconds) FROM compute WHERE run_id = :run GROUP BY 1")


def test_the_real_run_takes_what_was_forecast(database: Engine, tmp_path: Path) -> None:
    config = small_config(
        database,
        tmp_path,
        "iterations=2",
        "problem.train=300",
        "problem.max_digits=5",
        "schedule.first_steps=8",
    )
    assert "is not known" in time_line(plan_of(config), config)
    with open_workspace(config, "foretold") as workspace:
        assert plan_of(workspace.config).needs == needs_of(workspace)
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        run_iteration(workspace, 2)
        with database.connect() as connection:
            costs = connection.execute(COSTS, {"run": workspace.run_id}).one()
            pace = read_pace(connection, config.model, "arithmetic", workspace.numerics)
            other = read_pace(connection, config.model, "stories", workspace.numerics)
            taken = [tuple(row) for row in connection.execute(SECONDS, {"run": workspace.run_id})]
    assert pace is not None
    assert other is not None
    assert (other.batch, other.acceptance) == (pace.batch, None)
    plan = plan_of(config, Assumptions(pace.acceptance or 0, pace.rationale_tokens, pace.accepted_tokens))
    expected = [one.expected.tokens for one in plan.iterations]
    assert sum(one.generated_tokens for one in expected) == pytest.approx(int(costs.generated), rel=0.25)
    assert sum(one.train_tokens for one in expected) == pytest.approx(int(costs.trained), rel=0.25)
    assert plan.expected_pflops * 1e15 == pytest.approx(costs.flops, rel=0.25)
    assert plan.pflops > plan.expected_pflops
    batches = math.ceil(config.problem.validation / config.generator.batch_size)  # type: ignore[union-attr]
    foretold = {
        "generate": pace.generation * sum(one.generated_tokens for one in expected),
        "finetune": pace.training * sum(one.train_tokens for one in expected),
        "evaluate": pace.base_batch * batches + pace.batch * 2 * batches,
        "models": pace.opening + pace.models * 2,
    }
    assert foretold == pytest.approx(dict(taken), rel=0.25)
    assert re.search(
        r"^About .* as the run foretold did here and .* % of visits accepted: generation .*, training .*, evaluation .*, "
        "models ",
        time_line(plan, config),
    )
    elsewhere = replace(workspace.numerics, processor="another")
    with database.connect() as connection:
        assert read_pace(connection, config.model, "arithmetic", elsewhere) is None
        assert read_pace(connection, "another", "arithmetic", workspace.numerics) is None
