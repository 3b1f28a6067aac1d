"""A deployed run is cancelled, or its worker is stopped: every process ends, the lease is free, and the state says which."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from adastar_core.store.locks import find_owner
from adastar_core.store.overview import CRASHED, Overview, find_overview
from tests.deployment.conftest import Deployed
from tests.deployment.test_end_to_end import SLOW
from tests.deployment.test_schedules import TINY

IN_TWO_PROCESSES = {
    **TINY,
    "schedule": {"first_steps": 16},
    "problem": {**TINY["problem"], "train": 200},  # type: ignore[dict-item]
    "trainer": {"batch_size": 8, "learning_rate": 0.0003, "processes": 2, "save_every": 1},
}


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


def retry(deployed: Deployed, run_id: str) -> None:
    body = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}}
    deployed.ask("POST", f"flow_runs/{run_id}/set_state", body)


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
    retry(deployed, run_id)
    assert deployed.wait_until_over(run_id) == "COMPLETED"
    found = seen(deployed, "called-off")
    assert found is not None
    assert (found.state, found.failure) == ("finished", None)


def test_a_run_whose_worker_is_stopped_has_crashed_and_resumes(deployed: Deployed) -> None:
    """Prefect's process worker kills its runs when it is told to end, so none of them can say why."""
    run_id = deployed.trigger("smoke", {"run": "worker-stopped", "overrides": SLOW})
    deployed.services.wait(lambda: (one := seen(deployed, "worker-stopped")) and one.phase == "sampling")
    started = family(deployed)
    worker = deployed.services.processes.pop("worker")
    worker.send_signal(signal.SIGTERM)
    worker.wait()
    _, left = psutil.wait_procs(started, timeout=60)
    deployed.services.start("worker")
    assert left == []
    found = seen(deployed, "worker-stopped")
    assert found is not None
    assert (found.state, found.failure) == ("crashed", CRASHED)
    assert owner(deployed, found) is None
    deployed.wait_until_over(run_id)
    retry(deployed, run_id)
    assert deployed.wait_until_over(run_id) == "COMPLETED"


def test_a_container_s_command_ends_when_its_run_is_cancelled(deployed: Deployed) -> None:
    """The command of the docker and Kubernetes pools, without their engine. Both send SIGTERM, and SIGKILL 30 s later."""
    run_id = deployed.trigger("docker-gpu", {"run": "contained", "overrides": SLOW})
    services = deployed.services
    environment = {
        **os.environ,
        **services.environment,
        "PREFECT_API_URL": f"{services.url}/api",
        "PREFECT__FLOW_RUN_ID": run_id,
        "ADASTAR_DATABASE_URL": services.database_url,
    }
    command = [sys.executable, "-m", "prefect", "flow-run", "execute"]
    with (services.folder / "container.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=services.app, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    services.processes["container"] = process
    services.wait(lambda: (one := seen(deployed, "contained")) and one.phase == "sampling")
    started = psutil.Process(process.pid).children(recursive=True)
    cancel(deployed, run_id)
    _, left = psutil.wait_procs(started, timeout=60)
    assert left == []
    process.wait()
    del services.processes["container"]
    found = seen(deployed, "contained")
    assert found is not None
    assert found.state == "cancelled"
    assert owner(deployed, found) is None
