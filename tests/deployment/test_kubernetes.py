"""docker/kubernetes and the jobs of the Kubernetes pool, as a cluster would read them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

pytest.importorskip("prefect_kubernetes", reason="pip install 'adastar[workers]'")
from prefect.client.schemas.objects import FlowRun
from prefect_kubernetes.settings import KubernetesSettings
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from tests.deployment.cluster import Manifest, check_schema, violations
from tests.deployment.image import ROOT
from tests.deployment.services import COMPOSE

FOLDER = ROOT / "docker" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
POOL = json.loads((ROOT / "docker" / "pools" / "adastar-kubernetes-gpu.json").read_text())
OF_THE_POOL = POOL["base_job_template"]["job_configuration"]


def job() -> Manifest:
    """Return a run's job as the worker makes it, without two fields that Prefect wants in the pod and Kubernetes ignores."""
    template = json.loads(json.dumps(OF_THE_POOL).replace('"{{ gpu_count }}"', '"1"'))
    found = KubernetesWorkerJobConfiguration(**template)
    found.prepare_for_flow_run(FlowRun.model_construct(id="0" * 8, name="mine", flow_id=None))
    manifest: Manifest = json.loads(json.dumps(found.job_manifest))
    for ignored in ("parallelism", "completions"):
        del manifest["spec"]["template"]["spec"][ignored]
    return manifest


MANIFESTS: list[Manifest] = [
    *(
        document
        for name in KUSTOMIZATION["resources"]
        for document in yaml.safe_load_all((FOLDER / name).read_text())
    ),
    job(),
]
PODS = {
    f"{one['kind']} {one['metadata'].get('name', 'of a run')}": one["spec"]["template"]["spec"]
    for one in MANIFESTS
    if "template" in one.get("spec", {})
}
CONTAINERS = [one for pod in PODS.values() for one in [*pod.get("initContainers", []), *pod["containers"]]]


def named(kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in MANIFESTS if one["kind"] == kind}


@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda one: f"{one['kind']} {one['metadata'].get('name')}"
)
def test_a_manifest_is_in_the_schema_of_kubernetes(manifest: Manifest) -> None:
    check_schema(manifest)


@pytest.mark.parametrize("fault", ["unknown field", "other type", "missing field"])
def test_the_schema_finds_what_is_wrong(fault: str) -> None:
    (wrong,) = (json.loads(json.dumps(one)) for one in MANIFESTS if one["kind"] == "Service")
    changed = {"unknown field": {"prots": []}, "other type": {"type": 1}, "missing field": {"ports": [{}]}}
    wrong["spec"] |= changed[fault]
    with pytest.raises((ValueError, AssertionError)):
        check_schema(wrong)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_restricted(name: str) -> None:
    assert list(violations(PODS[name])) == []
    for container in [*PODS[name].get("initContainers", []), *PODS[name]["containers"]]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert "memory" in container["resources"]["limits"]
        assert "cpu" in container["resources"]["requests"]


def test_the_rules_find_what_is_not_restricted() -> None:
    ordinary = {"containers": [{"name": "one", "securityContext": {"privileged": True}}], "hostPID": True}
    said = " ".join(violations(ordinary | {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}))
    for rule in ("hostPID", "hostPath", "privileged", "capabilities", "runAsNonRoot", "seccompProfile"):
        assert rule in said


def test_what_the_pods_name_is_there() -> None:
    assert {pod["serviceAccountName"] for pod in PODS.values()} == named("ServiceAccount")
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in PODS.values()
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == named("PersistentVolumeClaim")
    for pod in PODS.values():
        mounted = {
            mount["name"]
            for one in [*pod.get("initContainers", []), *pod["containers"]]
            for mount in one["volumeMounts"]
        }
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    (binding,) = (one for one in MANIFESTS if one["kind"] == "RoleBinding")
    (subject,) = binding["subjects"]
    assert subject["name"] in named("ServiceAccount")
    assert OF_THE_POOL["namespace"] == subject["namespace"] == KUSTOMIZATION["namespace"]
    assert binding["roleRef"]["name"] in named("Role")
    assert named("Namespace") == {KUSTOMIZATION["namespace"]}


def secrets() -> Iterator[tuple[str, set[str]]]:
    """Yield each generated secret with its keys, which the example file lists."""
    for generated in KUSTOMIZATION["secretGenerator"]:
        (name,) = generated["envs"]
        lines = (FOLDER / f"{name}.example").read_text().splitlines()
        yield generated["name"], {line.partition("=")[0] for line in lines if not line.startswith("#")}


def test_every_secret_is_named_never_written_down() -> None:
    known, used = dict(secrets()), set()
    for container in CONTAINERS:
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                assert reference["key"] in known[reference["name"]]
                used.add(reference["key"])
            else:
                assert "@" not in variable["value"]
        used |= {key for one in container.get("envFrom", []) for key in known[one["secretRef"]["name"]]}
    assert used == set.union(*known.values())
    assert known["adastar"] == {
        "PREFECT_API_AUTH_STRING",
        "ADASTAR_DATABASE_URL",
        "ADASTAR_STORE",
        "HF_TOKEN",
    }


def test_a_run_takes_the_password_from_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker would write its own password into each job, unless it is told where the secret is."""
    (worker,) = PODS["Deployment adastar-worker"]["containers"]
    for variable in worker["env"]:
        if "value" in variable:
            monkeypatch.setenv(variable["name"], variable["value"])
    settings = KubernetesSettings()
    assert settings.worker.api_auth_string_secret_name == "adastar"
    assert settings.worker.api_auth_string_secret_key == "PREFECT_API_AUTH_STRING"
    assert settings.observer.namespaces == {KUSTOMIZATION["namespace"]}


@pytest.mark.parametrize(("service", "name"), [("server", "adastar-server"), ("worker", "adastar-worker")])
def test_the_cluster_starts_what_the_compose_file_starts(service: str, name: str) -> None:
    (container,) = PODS[f"Deployment {name}"]["containers"]
    pool = {"adastar-process": "adastar-kubernetes-gpu", "process": "kubernetes"}
    assert container["command"] == [pool.get(word, word) for word in COMPOSE["services"][service]["command"]]
    for probe in ("startupProbe", "livenessProbe"):
        check = container[probe]["httpGet"]
        (port,) = (one["containerPort"] for one in container["ports"] if one["name"] == check["port"])
        assert f":{port}/" in str(COMPOSE["services"][service]["healthcheck"]["test"])


def test_a_pod_that_is_told_to_end_is_started_again_as_another_job() -> None:
    """One of the two starts it again, never both: with a limit of 0 Kubernetes does not, and Prefect tells the run to."""
    run = job()["spec"]
    assert run["backoffLimit"] == 0
    (container,) = run["template"]["spec"]["containers"]
    told: dict[str, Any] = {one["name"]: one.get("value") for one in container["env"]}
    assert told["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "reschedule"
    assert run["template"]["spec"]["terminationGracePeriodSeconds"] >= 30
