"""Somebody who may start runs tries to run code, to write elsewhere and to read what they should not: on real services."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.deployment.conftest import Deployed

TINY = {
    "iterations": 1,
    "problem": {"type": "arithmetic", "train": 24, "validation": 8, "test": 8, "max_digits": 2},
    "schedule": {"first_steps": 1},
    "trainer": {"batch_size": 4, "learning_rate": 0.0003},
    "generator": {"batch_size": 64, "max_new_tokens": 32},
}


def start(deployed: Deployed, name: str, variables: dict[str, object]) -> httpx.Response:
    """Ask the server to start a deployment with job variables, as the form's advanced part does."""
    path = f"{deployed.services.url}/api/deployments/{deployed.deployment(name)['id']}/create_flow_run"
    body = {"parameters": {"run": "hostile"}, "job_variables": variables, "state": {"type": "SCHEDULED"}}
    return httpx.post(path, json=body, auth=("adastar", deployed.services.password), timeout=60)


@pytest.mark.parametrize("name", ["smoke", "docker-gpu", "kubernetes-gpu"])
@pytest.mark.parametrize(
    "variables",
    [
        {"command": "touch /tmp/mark"},
        {"working_dir": "/tmp"},
        {"env": {"ADASTAR_READABLE": "/"}},
        {"env.ADASTAR_READABLE": "/"},
        {"image": "somebody/else"},
        {"volumes": ["/:/host"]},
        {"privileged": True},
        {"networks": ["host"], "network_mode": "host"},
        {"namespace": "kube-system"},
        {"service_account_name": "admin"},
        {"job_manifest": {}},
        {"database_url": "{{ prefect.blocks.secret.other }}"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_a_run_cannot_choose_what_it_runs_in(
    deployed: Deployed, name: str, variables: dict[str, object]
) -> None:
    refused = start(deployed, name, variables)
    assert refused.is_client_error, refused.text


@pytest.mark.parametrize("name", ["docker-gpu", "kubernetes-gpu"])
def test_a_run_that_chooses_nothing_starts(deployed: Deployed, name: str) -> None:
    started = start(deployed, name, {})
    assert started.is_success, started.text
    deployed.ask("DELETE", f"flow_runs/{started.json()['id']}")


def finished(deployed: Deployed, parameters: dict[str, object], variables: dict[str, object]) -> Any:  # noqa: ANN401
    """Start a run past the server's check, wait for its end, and return it."""
    deployment = deployed.deployment("smoke")
    body = {
        "flow_id": deployment["flow_id"],
        "deployment_id": deployment["id"],
        "work_pool_name": deployment["work_pool_name"],
        "parameters": parameters,
        "job_variables": variables,
        "state": {"type": "SCHEDULED"},
    }
    identity = str(deployed.ask("POST", "flow_runs/", body)["id"])
    deployed.wait_until_over(identity)
    return deployed.flow_run(identity)


def test_a_process_keeps_the_worker_s_command_folder_and_environment(
    deployed: Deployed, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    variables = {
        "command": f"touch {mark}",
        "working_dir": str(tmp_path),
        "env": {"ADASTAR_HOME": str(tmp_path / "home"), "ADASTAR_WRITABLE": "/"},
    }
    ended = finished(deployed, {"run": "kept", "overrides": TINY}, variables)
    assert ended["state_type"] == "COMPLETED"
    assert list(tmp_path.iterdir()) == []
    assert list((deployed.services.folder / "home" / "runs").glob("kept-*"))


def test_code_that_a_form_names_is_refused_by_name_and_starts_nothing(
    deployed: Deployed, tmp_path: Path
) -> None:
    """Every other value that leads outside is refused by the same check: ``tests/core/test_access.py``.

    A typo is refused as early, and says so in the same place: ``tests/core/test_form.py``.
    """
    mark = tmp_path / "mark"
    (tmp_path / "mine.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).write_text('ran')\n")
    hostile = {"sampler": {"type": "custom", "path": f"{tmp_path}/mine.py:Mine"}}
    ended = finished(deployed, {"run": "hostile", "overrides": {**TINY, **hostile}}, {})
    assert ended["state_type"] == "FAILED"
    assert "sampler.path" in ended["state"]["message"]
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py"}
    with deployed.database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs WHERE name = 'hostile'")) == 0


def test_the_values_of_a_comparison_s_runs_are_confined_too(deployed: Deployed, tmp_path: Path) -> None:
    settings = {"overrides": [f"home={tmp_path}/home"]}
    identity = deployed.trigger("compare", {"settings": settings}, "compare")
    assert deployed.wait_until_over(identity) == "FAILED"
    assert "home" in deployed.flow_run(identity)["state"]["message"]
    assert list(tmp_path.iterdir()) == []
