"""A deployed run is cancelled, or its worker is stopped: every process ends, the lease is free, and the state says which."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import psutil
import pytest

from adastar_core.store.locks import find_owner
from adastar_core.store.overview import CRASHED, Overview, find_overview
from flows.members import ComparisonSettings
from tests.deployment.conftest import Deployed
from tests.deployment.test_end_to_end import SLOW
from tests.deployment.test_schedules import TINY

IN_TWO_PROCESSES = {
    **TINY,
    "schedule": {"first_steps": 16},
    "problem": {**TINY["problem"], "train": 200},  # type: ignore[dict-item]
    "trainer": {"batch_size": 8, "learning_rate": 0.0003, "processes": 2, "save_every": 1},
}

COMPARED = ComparisonSettings(
    base="quickstart",
    methods=("adastar",),
    seeds=(0,),
    overrides=(
        "problem.train=100",
        "problem.validation=8",
        "problem.test=8",
        "problem.max_digits=6",
        "generator.batch_size=1",
        "generator.max_new_tokens=80",
    ),
)


def seen(deployed: Deployed, name: str) -> Overview | None:
    with deployed.database.connect() as connection:
        return find_overview(connection, name)


def family(deployed: Deployed) -> list[psutil.Process]:
    """Return what the worker started, directly or not."""
    return psutil.Process(deployed.services.processes["worker"].pid).children(recursive=True)


def is_training(deployed: Deployed) -> list[psutil.Process]:
    """Return the worker's descendants once training processes are among them."""
    found = family(deployed)
    return found if sum("trainers.worker" in " ".join(one.cmdline()) for one in found) > 2 else []


def safely(condition: Callable[[], list[psutil.Process]]) -> Callable[[], list[psutil.Process]]:
    """Return the condition for processes that may end while they are looked at."""

    def asked() -> list[psutil.Process]:
        try:
            return condition()
        except psutil.NoSuchProcess:
            return []

    return asked


def cancel(deployed: Deployed, run_id: str) -> None:
    """Do what the button in the browser does."""
    body = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
    deployed.ask("POST", f"flow_runs/{run_id}/set_state", body)


def suspend(deployed: Deployed, run_id: str) -> None:
    """Do what the button in the browser does."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    details = {"pause_timeout": until, "pause_reschedule": True}
    body = {"state": {"type": "PAUSED", "name": "Suspended", "state_details": details}}
    deployed.ask("POST", f"flow_runs/{run_id}/set_state", body)


def retry(deployed: Deployed, run_id: str) -> str:
    """Ask for a retry and return how it ended; once more where a slow worker says cancelled behind the run itself.

    The process of the first retry then ends by itself, and until then it owns the run.
    """
    body = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}}
    for _ in range(2):
        deployed.services.wait(lambda: not family(deployed))
        deployed.ask("POST", f"flow_runs/{run_id}/set_state", body)
        if (ended := deployed.wait_until_over(run_id)) != "CANCELLED":
            break
    return ended


def owner(deployed: Deployed, run: Overview) -> str | None:
    with deployed.database.connect() as connection:
        return find_owner(connection, run.run_id)


def test_a_cancelled_run_ends_with_all_of_its_processes_and_resumes(deployed: Deployed) -> None:
    run_id = deployed.trigger("smoke", {"run": "called-off", "overrides": IN_TWO_PROCESSES})
    started = deployed.services.wait(safely(lambda: is_training(deployed)))
    asked = time.monotonic()
    cancel(deployed, run_id)
    _, left = psutil.wait_procs(started, timeout=60)
    print(f"\ncancelled: every process was gone {time.monotonic() - asked:.1f} s after the button")
    assert left == []
    found = seen(deployed, "called-off")
    assert found is not None
    assert (found.state, found.failure) == ("cancelled", "Its flow run was cancelled in Prefect.")
    assert owner(deployed, found) is None
    assert deployed.wait_until_over(run_id) == "CANCELLED"
    assert retry(deployed, run_id) == "COMPLETED", deployed.told(run_id)
    found = seen(deployed, "called-off")
    assert found is not None
    assert (found.state, found.failure) == ("finished", None)


@pytest.mark.parametrize(
    ("name", "flow", "parameters", "run"),
    [
        ("smoke", "adastar", {"run": "unheard", "overrides": SLOW}, "unheard"),
        (
            "compare",
            "compare",
            {"settings": COMPARED.model_dump(mode="json")},
            COMPARED.run_name("adastar", 0),
        ),
    ],
    ids=["a run", "a comparison"],
)
def test_a_cancelled_run_ends_when_its_worker_does_not_hear(
    deployed: Deployed, name: str, flow: str, parameters: dict[str, object], run: str
) -> None:
    """As after half a minute without a server: Prefect's worker then never again looks for cancelled runs."""
    run_id = deployed.trigger(name, parameters, flow)
    found = deployed.services.wait(partial(sampling_with_an_owner, deployed, run))
    started = family(deployed)
    worker = deployed.services.processes["worker"]
    worker.send_signal(signal.SIGSTOP)
    try:
        asked = time.monotonic()
        cancel(deployed, run_id)
        assert deployed.wait_until_over(run_id) == "CANCELLED"
        deployed.services.wait(lambda: owner(deployed, found) is None)
        print(f"\nthe worker stood still: cancelled {time.monotonic() - asked:.1f} s after the button")
        seen_after = seen(deployed, run)
    finally:
        worker.send_signal(signal.SIGCONT)
    _, left = psutil.wait_procs(started, timeout=60)
    assert left == []
    assert seen_after is not None
    assert (seen_after.state, seen_after.failure) == ("cancelled", "Its flow run was cancelled in Prefect.")
    assert deployed.flow_run(run_id)["state_type"] == "CANCELLED"


def test_a_suspended_run_ends_after_the_task_at_work_and_resumes(deployed: Deployed) -> None:
    run_id = deployed.trigger("smoke", {"run": "set-aside", "overrides": SLOW})
    deployed.services.wait(lambda: (one := seen(deployed, "set-aside")) and one.phase == "sampling")
    started = family(deployed)
    suspend(deployed, run_id)
    _, left = psutil.wait_procs(started, timeout=120)
    assert left == []
    found = seen(deployed, "set-aside")
    assert found is not None
    assert (found.state, found.failure) == ("interrupted", "Its flow run was suspended in Prefect.")
    assert owner(deployed, found) is None
    assert deployed.flow_run(run_id)["state"]["name"] == "Suspended"
    deployed.ask("POST", f"flow_runs/{run_id}/resume", {})
    assert deployed.wait_until_over(run_id) == "COMPLETED"
    found = seen(deployed, "set-aside")
    assert found is not None
    assert (found.state, found.failure) == ("finished", None)


def test_a_run_whose_worker_is_stopped_has_crashed_and_resumes(deployed: Deployed) -> None:
    """Prefect's process worker kills its runs when it is told to end, so none of them can say why."""
    run_id = deployed.trigger("smoke", {"run": "worker-stopped", "overrides": SLOW})
    deployed.services.wait(lambda: (one := seen(deployed, "worker-stopped")) and one.phase == "sampling")
    started = family(deployed)
    worker = deployed.services.processes.pop("worker")
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=60)  # in vain where SIGINT is ignored, as in the background of a script
    _, left = psutil.wait_procs(started, timeout=60)
    deployed.services.start("worker")
    assert left == []
    found = seen(deployed, "worker-stopped")
    assert found is not None
    assert (found.state, found.failure) == ("crashed", CRASHED)
    assert owner(deployed, found) is None
    deployed.wait_until_over(run_id)
    assert retry(deployed, run_id) == "COMPLETED", deployed.told(run_id)


def start_container(deployed: Deployed, run_id: str, **environment: str) -> "subprocess.Popen[bytes]":
    """Start the command of the docker and Kubernetes pools, without their engine."""
    services = deployed.services
    own = {"PREFECT__FLOW_RUN_ID": run_id, "ADASTAR_DATABASE_URL": services.database_url}
    with (services.folder / "container.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "flow-run", "execute"],
            cwd=services.app,
            env={**os.environ, **services.environment, **services.client, **own, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    services.processes["container"] = process
    return process


def test_a_container_s_command_ends_when_its_run_is_cancelled(deployed: Deployed) -> None:
    """Docker sends SIGTERM, and SIGKILL 30 s later."""
    run_id = deployed.trigger("docker-gpu", {"run": "contained", "overrides": SLOW})
    process = start_container(deployed, run_id)
    deployed.services.wait(lambda: (one := seen(deployed, "contained")) and one.phase == "sampling")
    started = psutil.Process(process.pid).children(recursive=True)
    cancel(deployed, run_id)
    _, left = psutil.wait_procs(started, timeout=60)
    assert left == []
    process.wait()
    del deployed.services.processes["container"]
    found = seen(deployed, "contained")
    assert found is not None
    assert found.state == "cancelled"
    assert owner(deployed, found) is None


def test_a_pod_that_is_told_to_end_is_due_again_and_resumes_unless_it_was_cancelled(
    deployed: Deployed,
) -> None:
    """A cluster takes a spot node back, drains it or needs it for others; and it deletes the pod of a cancelled run.

    The Kubernetes worker sets what SIGTERM means. With this meaning Prefect kills the run's process, which cannot say why.
    """
    run_id = deployed.trigger("docker-gpu", {"run": "in-a-pod", "overrides": SLOW})
    for ends_as in ("AwaitingRetry", "Cancelling"):
        process = start_container(deployed, run_id, PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR="reschedule")
        run = deployed.services.wait(lambda: sampling_with_an_owner(deployed, "in-a-pod"))
        started = psutil.Process(process.pid).children(recursive=True)
        if ends_as == "Cancelling":
            cancel(deployed, run_id)
        process.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(started, timeout=60)
        assert left == []
        process.wait(60)
        del deployed.services.processes["container"]
        assert owner(deployed, run) is None
        assert deployed.flow_run(run_id)["state"]["name"] == ends_as
    assert deployed.flow_run(run_id)["run_count"] == 2


def sampling_with_an_owner(deployed: Deployed, name: str) -> Overview | None:
    run = seen(deployed, name)
    return run if run and run.phase == "sampling" and owner(deployed, run) else None
