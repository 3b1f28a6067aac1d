"""Seeded kills of deployed runs and their workers in the middle of generation.

A worker that dies with its run can tell nobody: the automation of docker/set_up.py marks the run as crashed.
``ADASTAR_SOAK_DEPLOYED_ROUNDS`` is how many rounds there are, for `make soak`.
"""

import os
import signal
import time
from collections import Counter

import psutil
import pytest
from sqlalchemy import text

from adastar_core.audit.verify import verify
from adastar_core.runs.stored import open_stored
from adastar_core.store.runs import find_run
from adastar_core.streams import rng
from tests.deployment.conftest import Deployed
from tests.support.runs import SMALL, outcome_of

ROUNDS = int(os.environ.get("ADASTAR_SOAK_DEPLOYED_ROUNDS", "0"))
VICTIMS = ("both", "worker", "run")


@pytest.mark.skipif(not ROUNDS, reason="for make soak: ADASTAR_SOAK_DEPLOYED_ROUNDS is not set")
def test_runs_workers_or_both_are_killed(deployed: Deployed) -> None:
    calm = deployed.trigger("smoke", {"run": "kills-calm", "overrides": dict(SMALL)})
    assert deployed.wait_until_over(calm) == "COMPLETED"
    chance, ended = rng(0, "deployed soak"), Counter[tuple[str, str]]()
    for number in range(ROUNDS):
        name = f"kills-{number}"
        victim = VICTIMS[number % len(VICTIMS)]
        run_id = deployed.trigger("smoke", {"run": name, "overrides": dict(SMALL)})
        deployed.services.wait(lambda name=name: _rollouts(deployed, name) > 0)
        time.sleep(chance.random() * 2)
        _kill(deployed, name, victim)
        state = deployed.wait_until_over(run_id)
        ended[victim, state] += 1
        assert victim != "both" or state == "CRASHED"
        if victim != "run":
            deployed.services.start("worker")
        if state != "COMPLETED":
            body = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}}
            deployed.ask("POST", f"flow_runs/{run_id}/set_state", body)
            assert deployed.wait_until_over(run_id) == "COMPLETED"
        assert _outcome(deployed, name) == _outcome(deployed, "kills-calm")
        stored = open_stored(deployed.database, deployed.services.folder / "home", name)
        assert [one.violation for one in verify(stored) if one.violation] == []
    print(f"\n{ROUNDS} kills of deployed runs: {dict(ended)}")


def _rollouts(deployed: Deployed, name: str) -> int:
    query = text("SELECT count(*) FROM rollouts JOIN runs USING (run_id) WHERE name = :name")
    with deployed.database.connect() as connection:
        return int(str(connection.scalar(query, {"name": name})))


def _kill(deployed: Deployed, name: str, victim: str) -> None:
    """Kill the run's process, its worker, or first the worker and then all that it started."""
    run = find_run(deployed.database, name)
    assert run is not None
    worker = deployed.services.processes["worker"].pid
    started = [one.pid for one in psutil.Process(worker).children(recursive=True)]
    with deployed.database.connect() as connection:
        owner = connection.scalar(text("SELECT owner FROM runs WHERE name = :name"), {"name": name})
    processes = {"run": [int(str(owner).split()[1])], "worker": [worker], "both": [worker, *started]}
    for process in processes[victim]:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended by itself
    if victim != "run":
        deployed.services.processes.pop("worker").wait()


def _outcome(deployed: Deployed, name: str) -> object:
    run = find_run(deployed.database, name)
    assert run is not None
    return outcome_of(deployed.database, run.run_id)
