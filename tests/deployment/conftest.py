"""A server, its work pools, the deployments and a worker: once for all tests here."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL, Engine

from adastar_core.store.database import connect
from tests.conftest import new_database
from tests.deployment.services import PATIENCE_SECONDS, Services, services

TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@dataclass(frozen=True)
class Deployed:
    """Running services with the deployments, and the project's database."""

    services: Services
    database: Engine

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        """Send a request to the server's API."""
        url = f"{self.services.url}/api/{path}"
        user = ("adastar", self.services.password)
        answer = httpx.request(method, url, json=body, auth=user, timeout=PATIENCE_SECONDS)
        while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # SQLite is busy
            time.sleep(0.5)
            answer = httpx.request(method, url, json=body, auth=user, timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str, flow: str = "adastar") -> dict[str, Any]:
        """Return a deployment, of the main job unless another flow is named."""
        found: dict[str, Any] = self.ask("GET", f"deployments/name/{flow}/{name}")
        return found

    def trigger(self, name: str, parameters: dict[str, object] | None = None, flow: str = "adastar") -> str:
        """Start a deployment; return the flow run's id."""
        path = f"deployments/{self.deployment(name, flow)['id']}/create_flow_run"
        return str(
            self.ask("POST", path, {"parameters": parameters or {}, "state": {"type": "SCHEDULED"}})["id"]
        )

    def flow_run(self, run_id: str) -> dict[str, Any]:
        """Return a flow run."""
        found: dict[str, Any] = self.ask("GET", f"flow_runs/{run_id}")
        return found

    def wait_until_over(self, run_id: str) -> str:
        """Wait until a flow run has ended; return the type of its state."""
        return self.services.wait(
            lambda: state if (state := self.flow_run(run_id)["state_type"]) in TERMINAL else ""
        )

    def told(self, run_id: str) -> str:
        """Return what a flow run and those that it called logged."""
        children = self.ask(
            "POST", "flow_runs/filter", {"flow_runs": {"parent_flow_run_id": {"any_": [run_id]}}}
        )
        ids = [run_id, *(one["id"] for one in children)]
        lines = self.ask(
            "POST", "logs/filter", {"logs": {"flow_run_id": {"any_": ids}}, "sort": "TIMESTAMP_ASC"}
        )
        return "\n".join(f"{one['timestamp']} {one['message']}" for one in lines)

    def stages_of(self, run_id: str) -> list[tuple[str, str]]:
        """Return name and state of the stages' task runs, of a flow run and of its iterations."""
        parents = [run_id]
        children = self.ask(
            "POST", "flow_runs/filter", {"flow_runs": {"parent_flow_run_id": {"any_": [run_id]}}}
        )
        parents += [one["id"] for one in children]
        tasks = self.ask("POST", "task_runs/filter", {"flow_runs": {"id": {"any_": parents}}, "limit": 200})
        return sorted(
            (one["name"], one["state_name"])
            for one in tasks
            if not one["name"].startswith(("report", "adastar", "iteration")) and one["flow_run_id"]
        )


@pytest.fixture(scope="package")
def deployed(
    tmp_path_factory: pytest.TempPathFactory, administrator: Engine, server: URL, template: str
) -> Iterator[Deployed]:
    """Do what docs/deploying.md says: server, set-up, deployments, worker."""
    name, folder = f"deployed_{os.getpid()}", tmp_path_factory.mktemp("deployed")
    with new_database(administrator, name, template):
        engine = connect(server.set(database=name))
        url = engine.url.render_as_string(hide_password=False)
        with services(Path(folder), url) as running:
            running.start_server()
            running.run("set-up")
            running.start("worker")
            yield Deployed(running, engine)
        engine.dispose()
