"""Deployments from end to end: triggered, scheduled, killed in the middle, and without a server for a while."""

import json
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import pytest
from sqlalchemy import Engine, inspect, text

from adastar_core.audit.verify import verify
from adastar_core.runs.stored import open_stored
from tests.deployment.conftest import Deployed

OUTAGE_SECONDS = float(os.environ.get("ADASTAR_TEST_OUTAGE_SECONDS", "5"))
"""How long the server is away; `make soak` makes it 60."""

SLOW = {
    "iterations": 1,
    "problem": {"type": "arithmetic", "train": 100, "validation": 8, "test": 8, "max_digits": 6},
    "schedule": {"first_steps": 6},
    "trainer": {"batch_size": 8, "learning_rate": 0.0003},
    "generator": {"batch_size": 1, "max_new_tokens": 80},
}
"""Generates one rationale at a time, so that it can be met in the middle."""


def test_the_set_up_can_be_repeated(deployed: Deployed) -> None:
    before = deployed.ask("POST", "work_pools/filter", {})
    printed = deployed.services.run("set-up", sys.executable, "docker/set_up.py")
    after = deployed.ask("POST", "work_pools/filter", {})
    assert {one["name"]: one["id"] for one in before} == {one["name"]: one["id"] for one in after}
    assert printed.count("up to date") == 7
    (automation,) = deployed.ask("POST", "automations/filter", {})
    assert "prefect.flow-run.AwaitingRetry" in automation["trigger"]["expect"], "it may wait long for a node"
    nightly = deployed.deployment("nightly")
    assert nightly["concurrency_limit"] == 1 or nightly["global_concurrency_limit"]["limit"] == 1
    assert nightly["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"
    assert len(nightly["schedules"]) == 1


@pytest.mark.parametrize("service", ["server", "worker"])
def test_a_health_check_of_the_compose_file(deployed: Deployed, service: str) -> None:
    deployed.services.wait(lambda: deployed.services.is_healthy(service))


def test_triggered_then_scheduled_the_second_all_cache_hits(deployed: Deployed) -> None:
    first = deployed.trigger("smoke", {"run": "twice"})
    assert deployed.wait_until_over(first) == "COMPLETED"
    done = _recorded(deployed, first)
    names = {name for name, _ in done}
    assert ("advance t=1", "Completed") in done
    assert {"evaluate validation t=0", "generate t=1 wave 1", "verify t=1 wave 1", "finetune t=1"} <= names

    artifacts = deployed.ask("POST", "artifacts/latest/filter", {})
    kinds = sorted(one["type"] for one in artifacts if one["key"].startswith("twice-"))
    assert kinds == ["markdown", "progress", "table"]

    soon = (datetime.now(UTC) + timedelta(seconds=15)).isoformat()
    interval = {"interval": 60, "anchor_date": soon}
    schedule = {"schedule": interval, "active": True, "parameters": {"run": "twice"}}
    identity = deployed.deployment("smoke")["id"]
    (made,) = deployed.ask("POST", f"deployments/{identity}/schedules", [schedule])
    second = deployed.services.wait(lambda: _scheduled(deployed, identity))
    assert deployed.wait_until_over(second) == "COMPLETED"
    deployed.ask("DELETE", f"deployments/{identity}/schedules/{made['id']}")
    again = _recorded(deployed, second)
    assert {state for _, state in again} == {"Cached"}
    # What a wave lacks only the store knows, and a sampling that is closed has no second wave.
    stages = {name.split()[0] for name in names} - {"generate", "verify"}
    assert {name.split()[0] for name, _ in again} == stages
    query = (
        "SELECT started_by, deployment, flow_run FROM owners JOIN runs USING (run_id) WHERE name = 'twice' "
    )
    with deployed.database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs WHERE name = 'twice'")) == 1
        owners = [tuple(row) for row in connection.execute(text(f"{query} ORDER BY owners.lease_epoch"))]
    assert owners == [(None, "smoke", first), ("schedule IntervalSchedule", "smoke", second)]


def _recorded(deployed: Deployed, run_id: str) -> list[tuple[str, str]]:
    """Return a finished run's stages once no more of them come: Prefect records them behind the run."""

    def settled() -> list[tuple[str, str]]:
        before = deployed.stages_of(run_id)
        time.sleep(5)
        return before if before == deployed.stages_of(run_id) else []

    return deployed.services.wait(settled)


def _scheduled(deployed: Deployed, deployment: str) -> str:
    """Return the id of the scheduled run that is due first."""
    body = {
        "flow_runs": {"deployment_id": {"any_": [deployment]}},
        "sort": "EXPECTED_START_TIME_ASC",
    }
    runs = [one for one in deployed.ask("POST", "flow_runs/filter", body) if one["auto_scheduled"]]
    return str(runs[0]["id"]) if runs else ""


def test_a_comparison_starts_its_runs_on_the_worker_s_machine(deployed: Deployed) -> None:
    changed = ("problem.train=40", "problem.validation=8", "problem.test=8", "schedule.first_steps=2")
    sizes = ("trainer.batch_size=8", "generator.batch_size=64", "generator.max_new_tokens=64")
    settings = {"base": "quickstart", "methods": ["star-acc"], "seeds": [0], "budget": "1"}
    compared = deployed.trigger(
        "compare", {"settings": {**settings, "overrides": [*changed, *sizes]}}, flow="compare"
    )
    board = deployed.services.wait(lambda: _table_of_runs(deployed, compared))
    assert [row["run"] for row in board] == ["STaR-Acc, seed 0"]
    assert deployed.flow_run(compared)["state_type"] == "RUNNING", "it shows its runs while they work"
    assert deployed.wait_until_over(compared) == "COMPLETED"
    with deployed.database.connect() as connection:
        query = text("SELECT deployment FROM owners WHERE flow_run = :flow_run")
        assert connection.scalars(query, {"flow_run": compared}).all() == ["compare"]
    (row,) = _table_of_runs(deployed, compared)
    assert (row["state"], row["iterations"]) == ("finished", "1 of 1")
    assert "%" in row["validation"]
    assert "%" in row["test"]
    mine = {"artifacts": {"flow_run_id": {"any_": [compared]}}}
    kinds = sorted(one["type"] for one in deployed.ask("POST", "artifacts/filter", mine))
    assert kinds == ["markdown", "progress", "table", "table"]
    members = {"flow_runs": {"name": {"like_": "-star-acc-seed-0"}}}
    tagged = {tuple(sorted(one["tags"])) for one in deployed.ask("POST", "flow_runs/filter", members)}
    assert tagged == {("adastar", "compare")}  # the run and its iteration
    with deployed.database.connect() as connection:
        query = "SELECT status FROM runs WHERE name LIKE 'compare-quickstart-%-star-acc-seed-0'"
        assert connection.scalars(text(query)).all() == ["finished"]


def _table_of_runs(deployed: Deployed, compared: str) -> list[dict[str, str]]:
    """Return what a comparison's table says of its runs; nothing before it is there."""
    mine = {"artifacts": {"flow_run_id": {"any_": [compared]}, "key": {"like_": "%-runs"}}}
    found = deployed.ask("POST", "artifacts/filter", mine)
    rows: list[dict[str, str]] = json.loads(found[0]["data"]) if found else []
    return rows


def test_killed_in_generation_then_retried_through_a_server_outage(deployed: Deployed) -> None:
    run_id = deployed.trigger("smoke", {"run": "slow", "overrides": SLOW})
    deployed.services.wait(lambda: _generated(deployed) > 10)
    process = _flow_process(deployed)
    assert str(deployed.database.url.password) not in " ".join(process.cmdline())
    process.send_signal(signal.SIGKILL)
    assert deployed.wait_until_over(run_id) == "CRASHED"
    assert "heartbeat" not in deployed.flow_run(run_id)["state"]["message"], "its worker tells, and at once"
    before = _rollouts(deployed)

    deployed.ask(
        "POST", f"flow_runs/{run_id}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}}
    )
    deployed.services.wait(lambda: _generated(deployed) > len(before) + 3)
    deployed.services.kill("server")
    time.sleep(OUTAGE_SECONDS)
    deployed.services.start_server()
    assert deployed.wait_until_over(run_id) == "COMPLETED"

    after = _rollouts(deployed)
    assert {key: after[key] for key in before} == before
    with deployed.database.connect() as connection:
        # Two processes have owned the run: the one that was killed, and one that went through the outage.
        assert connection.scalar(text("SELECT lease_epoch FROM runs WHERE name = 'slow'")) == 2
    assert deployed.flow_run(run_id)["run_count"] == 2
    stored = open_stored(deployed.database, deployed.services.folder / "home", "slow")
    assert [one.violation for one in verify(stored) if one.violation] == []


def _generated(deployed: Deployed) -> int:
    return len(_rollouts(deployed))


def _rollouts(deployed: Deployed) -> dict[tuple[int, int], datetime]:
    """Return when each attempt of the slow run was stored."""
    query = text(
        "SELECT position, attempt, rollouts.created_at FROM rollouts JOIN runs USING (run_id) WHERE name = 'slow'"
    )
    with deployed.database.connect() as connection:
        return {(position, attempt): at for position, attempt, at in connection.execute(query)}


def _flow_process(deployed: Deployed) -> psutil.Process:
    """Return the process that owns the slow run."""
    with deployed.database.connect() as connection:
        owner = str(connection.scalar(text("SELECT owner FROM runs WHERE name = 'slow'")))
    return psutil.Process(int(owner.split()[1]))


def test_the_server_answers_nobody_without_the_password(deployed: Deployed) -> None:
    path = f"{deployed.services.url}/api/work_pools/filter"
    for user in (None, ("adastar", "wrong")):
        assert httpx.post(path, json={}, auth=user, timeout=60).status_code == httpx.codes.UNAUTHORIZED
    assert deployed.ask("POST", "work_pools/filter", {})


def test_no_secret_is_in_the_output_of_all_this(deployed: Deployed) -> None:
    """Logs of server, worker and runs, both databases, Prefect's results, artifacts, reports, checkpoints."""
    services = deployed.services
    secrets = [str(deployed.database.url.password), services.password, services.hub_token]
    files = [path for path in services.folder.rglob("*") if path.is_file()]
    assert len(files) > 20
    rows = services.prefect.dump() + _dump(deployed.database)
    assert b"flow_run" in rows
    for secret in map(str.encode, secrets):
        assert secret not in rows
        assert [str(path) for path in files if secret in path.read_bytes()] == []


def _dump(database: Engine) -> bytes:
    """Return every row of the project's database as text."""
    with database.connect() as connection:
        names = inspect(connection).get_table_names()
        rows = [
            connection.execute(text(f'SELECT CAST(one AS text) FROM "{name}" one')).all() for name in names
        ]
    return str(rows).encode()
