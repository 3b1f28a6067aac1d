"""What the workers of the container pools would ask an engine for, as they read the server's job templates."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from docker.types import HostConfig
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.workers.base import BaseJobConfiguration

from tests.deployment.conftest import Deployed

containers = pytest.importorskip("prefect_docker.worker", reason="pip install 'adastar[workers]'")
clusters = pytest.importorskip("prefect_kubernetes.worker", reason="pip install 'adastar[workers]'")


@pytest.fixture
def api(deployed: Deployed) -> Iterator[None]:
    """The server of the deployments is this process's."""
    found = deployed.services.client
    names = {
        PREFECT_API_URL: found["PREFECT_API_URL"],
        PREFECT_API_AUTH_STRING: found["PREFECT_API_AUTH_STRING"],
    }
    with temporary_settings(names):
        yield


def job(deployed: Deployed, name: str, kind: type[BaseJobConfiguration]) -> Any:  # noqa: ANN401 (a worker's own type)
    """Return the job that a worker makes of a deployment."""
    deployment = deployed.deployment(name)
    template = deployed.ask("GET", f"work_pools/{deployment['work_pool_name']}")["base_job_template"]
    return asyncio.run(kind.from_template_and_values(template, deployment["job_variables"]))


def test_a_container_with_every_gpu_and_the_database(api: None, deployed: Deployed) -> None:
    found = job(deployed, "docker-gpu", containers.DockerWorkerJobConfiguration)
    wanted = HostConfig(version="1.44", **{**found.container_create_kwargs, "mem_limit": found.mem_limit})
    assert wanted["DeviceRequests"] == [
        {"Driver": "nvidia", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}
    ]
    assert wanted["ShmSize"] == 8 * 2**30
    assert found.volumes == ["adastar_data:/data", "adastar_models:/models"]
    assert (wanted["ReadonlyRootfs"], wanted["Tmpfs"]) == (True, {"/tmp": "exec"})
    assert found.env["HF_TOKEN"] == deployed.services.hub_token
    assert found.env["ADASTAR_STORE"] == ""
    assert found.env["ADASTAR_DATABASE_URL"] == deployed.services.database_url
    assert found.env["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] == "false"


def test_a_pod_with_a_gpu(api: None, deployed: Deployed) -> None:
    found = job(deployed, "kubernetes-gpu", clusters.KubernetesWorkerJobConfiguration)
    pod = found.job_manifest["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 1, "memory": "64Gi"}
    assert container["envFrom"] == [{"secretRef": {"name": "adastar"}}]
    assert container["image"] == "adastar:cuda"
    assert pod["nodeSelector"] == {}
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert {one["name"] for one in pod["volumes"]} == {one["name"] for one in container["volumeMounts"]}
