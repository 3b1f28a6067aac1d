"""What a configuration may reach where somebody else may have written it: folders, code, servers, databases, clusters."""

import inspect
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, SecretStr

from adastar_core.config import RunConfig
from adastar_core.config.access import check_access
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError, EngineError, ModelError
from adastar_core.generators.openai import OpenAiGenerator
from adastar_core.machine.servers import check_server
from adastar_core.models.source import resolve_model
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Observation, Split
from adastar_core.runs.opening import open_workspace
from adastar_core.samplers import Statistics
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.settings import TextKind
from flows import deployed
from flows.access import confine_deployed
from flows.adastar import adastar
from flows.compare import compare
from flows.members import ComparisonSettings

SAMPLER = """
from pathlib import Path
Path({mark!r}).write_text("ran")
class Mine:
    def __init__(self, statistics, seed, observation_ids, **options): ...
    def order(self): ...
    def observe(self, stamps): ...
    def state(self): ...
"""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("ADASTAR_", "PREFECT__")) and name != "ADASTAR_TEST_DATABASE_URL":
            monkeypatch.delenv(name)


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make this process one that Prefect started for a flow run; return its data directory."""
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "3c1a9c0e-7d0a-4df4-9c59-0d5bb1f4a111")
    monkeypatch.setenv("ADASTAR_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def texts_without_a_kind(annotation: object, declared: tuple[object, ...] = ()) -> Iterator[object]:
    """Yield every `str` in an annotation that no kind accompanies."""
    arguments = get_args(annotation)
    is_text = annotation in (str, bytes, Path, SecretStr, object)
    if is_text and not any(isinstance(one, TextKind) for one in declared):
        yield annotation
    for one in arguments:
        yield from texts_without_a_kind(one, (*declared, *arguments) if one is arguments[0] else declared)


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from models_in(one)


def undeclared(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        if list(texts_without_a_kind(field.annotation, tuple(field.metadata))):
            yield f"{model.__name__}.{name}"
        for inner in models_in(field.annotation):
            yield from undeclared(inner, seen)


def test_every_text_that_a_form_can_send_says_what_it_is() -> None:
    """A new field of plain str or Path fails here: give it a type of adastar_core.config.access."""
    seen: set[type[BaseModel]] = set()
    found = [*undeclared(RunConfig, seen), *undeclared(ComparisonSettings, seen)]
    for flow in (adastar, deployed.adastar, compare):
        for name, parameter in inspect.signature(flow.fn, eval_str=True).parameters.items():
            annotation = parameter.annotation
            found += [f"{flow.name}({name})" for _ in texts_without_a_kind(annotation)]
            found += [one for inner in models_in(annotation) for one in undeclared(inner, seen)]
    assert found == []
    assert len(seen) > 20


def test_a_field_of_plain_text_is_found() -> None:
    class Added(BaseModel):
        one: str = ""
        two: Mapping[str, int] = {}
        three: tuple[Path, ...] = ()

    assert list(undeclared(Added, set())) == ["Added.one", "Added.two", "Added.three"]


OUTSIDE = [
    ("model", "/etc"),
    ("model", "/proc/self/root/etc"),
    ("model", "{home}/../model"),
    ("model", "{home}/link"),
    ("model", "Qwen/Qwen2.5-0.5B"),
    ("problem.path", "/etc/passwd"),
    ("problem.path", "../../etc/passwd"),
    ("problem.path", "somebody/data"),
    ("problem.exemplars", "{home}/../model/config.json"),
    ("problem.train", "/etc/passwd"),
    ("home", "/var/tmp/elsewhere"),
    ("home", "{home}/../other"),
    ("sampler.path", "{home}/mine.py:Mine"),
    ("sampler.path", "os:system"),
    ("monitors", "[{{path: '{home}/mine.py:Mine'}}]"),
    ("monitors", "[{{path: an-installed-one}}, {{path: os:system}}]"),
    ("generator.custom.path", "{home}/mine.py:Mine"),
    ("generator.custom.path", "os:system"),
    ("problem.path", "{home}/mine.py:Mine"),
    ("problem.path", "os:system"),
    ("problem.verifier.path", "{home}/mine.py:Mine"),
    ("problem.verifier.path", "os:system"),
    ("generator.openai.url", "http://example.com/v1"),
    ("generator.openai.key_variable", "PREFECT_API_KEY"),
    ("database_url", "postgresql://127.0.0.1/other"),
    ("database_url", "postgresql:///x?host=/tmp&options=-csearch_path=x&passfile=/etc/passwd"),
    ("compute.address", "203.0.113.7:6379"),
]


@pytest.mark.parametrize(("key", "value"), OUTSIDE)
def test_a_form_cannot_lead_outside(worker: Path, key: str, value: str) -> None:
    shutil.copytree(resolve_model("tiny-adder"), worker.parent / "model")
    (worker / "link").symlink_to("/etc")
    (worker / "mine.py").write_text(SAMPLER.format(mark=str(worker / "mark")))
    values: dict[str, object] = {"problem": {"type": "table", "path": str(worker / "data.jsonl")}}
    head, _, rest = key.partition(".")
    custom = head if head == "sampler" or (":" in value and key == "problem.path") else None
    overrides = [f"{key}={value.format(home=worker)}"] + ([f"{custom}.type=custom"] if custom else [])
    config = resolve(values, sorted(overrides, reverse=True))
    expected = key.replace("key_variable", "url")
    with pytest.raises(ConfigError, match=rf"^{expected}\b"):
        check_access(config)
    with pytest.raises(ConfigError, match=rf"^{expected}\b"), open_workspace(config, "hostile"):
        pytest.fail("it opened")
    assert not (worker / "mark").exists()
    assert rest or list(worker.iterdir())


def test_a_comparison_s_form_cannot_lead_outside(worker: Path) -> None:
    with pytest.raises(ConfigError, match="given_output"):
        check_access(ComparisonSettings(given_output=Path("/var/tmp/out")))
    with pytest.raises(ConfigError, match="base"):
        check_access(ComparisonSettings(source="config", base="/etc/passwd"))
    check_access(ComparisonSettings(given_output=worker / "out"))


PLACES_OF_THE_PROGRAM = [
    "runs",
    "runs/x",
    "runs/x/checkpoints/iteration-0002",
    "out/../runs/x",
    "RUNS/x",
    "link/x",
    "comparisons/compare-x",
    "postgres",
    "postgres/data",
    "postgres.lock",
    "postgres-programs/bin",
    "another/runs/x",
    "another/postgres/data",
]


@pytest.mark.parametrize("place", PLACES_OF_THE_PROGRAM)
@pytest.mark.parametrize("widened", [False, True])
def test_a_form_cannot_write_where_the_program_keeps_something(
    worker: Path, monkeypatch: pytest.MonkeyPatch, place: str, *, widened: bool
) -> None:
    (worker / "runs").mkdir()
    (worker / "link").symlink_to(worker / "runs")
    if widened:
        monkeypatch.setenv("ADASTAR_WRITABLE", os.pathsep.join([str(worker.parent), str(worker / "runs")]))
    config = resolve({"home": str(worker / place)})
    with pytest.raises(ConfigError, match=r"^home\b.*the program keeps"):
        check_access(config)
    with pytest.raises(ConfigError, match=r"^home\b.*the program keeps"):
        config.checked_home()
    settings = ComparisonSettings(given_output=worker / place)
    with pytest.raises(ConfigError, match=r"^given_output\b.*the program keeps"):
        check_access(settings)
    with pytest.raises(ConfigError, match=r"^given_output\b.*the program keeps"):
        _ = settings.output


@pytest.mark.parametrize(
    ("there", "free"),
    [
        ([], True),
        (["comparison.html", "runs.csv", "accuracy-by-compute-selected-on-test.png"], True),
        (["comparison.html", "model.safetensors"], False),
        (["comparison.html.bak"], False),
        (["comparison.md/inside"], False),
        (["runs.csv@"], False),
    ],
)
def test_a_comparison_writes_into_no_folder_of_something_else(
    worker: Path, there: list[str], *, free: bool
) -> None:
    output = worker / "out"
    output.mkdir()
    for name in there:
        (output / name).parent.mkdir(exist_ok=True)
        if name.endswith("@"):
            (output / name[:-1]).symlink_to(worker / "elsewhere")
        else:
            (output / name).write_text("x")
    settings = ComparisonSettings(given_output=output)
    if free:
        check_access(settings)
        assert settings.output == output
    else:
        with pytest.raises(ConfigError, match="given_output"):
            check_access(settings)
    with pytest.raises(ConfigError, match="given_output"):
        check_access(ComparisonSettings(given_output=worker))


def test_what_the_operator_allows_is_allowed(worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, results = worker.parent / "data", worker.parent / "results"
    monkeypatch.setenv("ADASTAR_READABLE", str(data))
    monkeypatch.setenv("ADASTAR_WRITABLE", str(results))
    monkeypatch.setenv("ADASTAR_HUB", "Qwen/* somebody/data")
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    for home in (results / "deep", worker):
        check_access(RunConfig(home=home))
    check_access(resolve({"problem": {"type": "table", "path": "somebody/data"}, "model": "Qwen/Qwen3-0.6B"}))
    check_access(resolve({"compute": {"address": "10.0.0.1:6379"}}))
    check_access(resolve({"model": str(data / "model")}))
    with pytest.raises(ConfigError, match="ADASTAR_READABLE"):
        check_access(resolve({"model": str(worker / "model")}))


def test_a_person_s_own_command_is_not_confined(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SAMPLER.format(mark=str(tmp_path / "mark")))
    sampler = {"type": "custom", "path": f"{tmp_path}/mine.py:Mine"}
    config = resolve({"sampler": sampler, "home": str(tmp_path), "database_url": "postgresql:///mine"})
    check_access(config)
    open_sampler(config.sampler, 0, [Observation("a", "a", "1")], Statistics.empty(1))
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("allowed", "path", "runs"),
    [
        ("", "{folder}/mine.py:Mine", False),
        ("{folder}/mine.py:Mine", "{folder}/mine.py:Mine", True),
        ("other.module:X, {folder}/mine.py:Mine", "{folder}/sub/../mine.py:Mine", True),
        ("{folder}/mine.py:Mine", "{folder}/alias.py:Mine", True),
        ("{folder}/mine.py:Other", "{folder}/mine.py:Mine", False),
        ("{folder}", "{folder}/mine.py:Mine", False),
        ("{folder}/mine.py:Mine", "{folder}/other.py:Mine", False),
        ("{folder}/mine.py:Mine", "{folder}/MINE.py:Mine", False),
        ("mine:Mine", "{folder}/mine.py:Mine", False),
        ("json:JSONDecoder", "json:JSONEncoder", False),
        ("json:JSONDecoder", "json.decoder:JSONDecoder", False),
    ],
)
def test_code_runs_on_a_worker_only_by_the_name_that_the_operator_gives(
    worker: Path, monkeypatch: pytest.MonkeyPatch, allowed: str, path: str, *, runs: bool
) -> None:
    (worker / "sub").mkdir()
    for name in ("mine.py", "other.py", "MINE.py"):
        (worker / name).write_text(SAMPLER.format(mark=str(worker / "mark")))
    (worker / "alias.py").symlink_to(worker / "mine.py")
    monkeypatch.setenv("ADASTAR_USER_CODE", allowed.format(folder=worker))
    config = resolve({"sampler": {"type": "custom", "path": path.format(folder=worker)}})
    if runs:
        check_access(config)
        open_sampler(config.sampler, 0, [Observation("a", "a", "1")], Statistics.empty(1))
    else:
        with pytest.raises(ConfigError, match="ADASTAR_USER_CODE"):
            check_access(config)
        with pytest.raises(ConfigError, match="ADASTAR_USER_CODE"):
            open_sampler(config.sampler, 0, [Observation("a", "a", "1")], Statistics.empty(1))
    assert (worker / "mark").exists() is runs


def test_what_a_link_leads_to_is_read_under_the_link_s_name(worker: Path) -> None:
    """The hub's cache keeps files as links to blobs whose names say nothing."""
    rows = "".join(f'{{"question": "1+{n}", "answer": "{n + 1}"}}\n' for n in range(40))
    (worker / "blob").write_text(rows)
    (worker / "data").mkdir()
    (worker / "data" / "train.jsonl").symlink_to(worker / "blob")
    for path in (worker / "data", worker / "data" / "train.jsonl"):
        config = resolve({"problem": {"type": "table", "path": str(path)}})
        check_access(config)
        assert open_problem(config.problem).load(Split.TRAIN)


def test_a_flow_run_of_a_deployment_is_confined_and_so_is_what_it_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ADASTAR_CONFINED", "")
    confine_deployed(RunConfig(home=tmp_path))
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "3c1a9c0e-7d0a-4df4-9c59-0d5bb1f4a111")
    with pytest.raises(ConfigError, match="home"):
        confine_deployed(RunConfig(home=tmp_path))
    assert os.environ["ADASTAR_CONFINED"] == "1"


def test_a_link_inside_a_folder_leads_nowhere(worker: Path) -> None:
    row = '{"question": "1+1", "answer": "2"}\n'
    (worker.parent / "secret.jsonl").write_text(row)
    folder = worker / "data"
    folder.mkdir()
    (folder / "train.jsonl").symlink_to(worker.parent / "secret.jsonl")
    (folder / "test.jsonl").write_text(row)
    config = resolve({"problem": {"type": "table", "path": str(folder)}})
    with pytest.raises(ConfigError, match=r"problem\.path"):
        open_problem(config.problem).load(Split.TRAIN)
    shutil.copytree(resolve_model("tiny-adder"), worker / "model")
    (worker / "model" / "extra.json").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match="model"):
        resolve_model(str(worker / "model"))


@pytest.mark.parametrize("place", ["additional_chat_templates/default.jinja", "sub/deep/x.json", "linked"])
def test_a_link_deep_inside_a_model_leads_nowhere(worker: Path, place: str) -> None:
    secret = worker.parent / "secret"
    secret.mkdir()
    (secret / "x.json").write_text("{}")
    model = worker / "model"
    shutil.copytree(resolve_model("tiny-adder"), model)
    if place == "linked":  # to a folder that may be read, whose file leads on
        (worker / "inside").mkdir()
        (worker / "inside" / "x.json").symlink_to(secret / "x.json")
        (model / place).symlink_to(worker / "inside")
    else:
        (model / place).parent.mkdir(parents=True)
        (model / place).symlink_to(secret / "x.json")
    with pytest.raises(ConfigError, match=r"^model\b.*ADASTAR_READABLE"):
        resolve_model(str(model))


def test_links_that_lead_round_in_a_model_end(worker: Path) -> None:
    shutil.copytree(resolve_model("tiny-adder"), worker / "model")
    (worker / "model" / "again").symlink_to(worker / "model")
    assert resolve_model(str(worker / "model")) == worker / "model"


def test_an_adapter_that_names_another_model_is_refused(tmp_path: Path) -> None:
    shutil.copytree(resolve_model("tiny-adder"), tmp_path / "model")
    (tmp_path / "model" / "adapter_config.json").write_text('{"base_model_name_or_path": "/elsewhere"}')
    with pytest.raises(ModelError, match="adapter"):
        resolve_model(str(tmp_path / "model"))


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation"])
@pytest.mark.parametrize("value", ["somebody/kernel", "somebody/kernel@main:run", "paged|somebody/kernel"])
def test_a_model_that_names_code_on_the_hub_is_refused(tmp_path: Path, name: str, value: str) -> None:
    shutil.copytree(resolve_model("tiny-adder"), tmp_path / "model")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    deep = {"thinker_config": {"text_config": {name: value}}}
    for changed in ({**config, name: value}, {**config, "text_config": {name: value}}, {**config, **deep}):
        (tmp_path / "model" / "config.json").write_text(json.dumps(changed))
        with pytest.raises(ModelError, match=name):
            resolve_model(str(tmp_path / "model"))


@pytest.mark.parametrize(
    ("servers", "variable", "url", "allowed"),
    [
        ("", "ADASTAR_SERVER_API_KEY", "http://127.0.0.1:8000/v1", True),
        ("", "ADASTAR_SERVER_API_KEY", "http://localhost:8000/v1", True),
        ("", "ADASTAR_SERVER_API_KEY", "http://LOCALHOST/v1", True),
        ("", "ADASTAR_SERVER_API_KEY", "http://[::1]:8000/v1", True),
        ("", "PREFECT_API_KEY", "http://127.0.0.1:8000/v1", False),
        ("", "OPENAI_API_KEY", "http://127.0.0.1:8000/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "https://example.com/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://localtest.me/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://127.0.0.1.nip.io/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://localhost.example.com/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://[::ffff:192.0.2.1]/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://0.0.0.0/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://169.254.169.254/latest/", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://127.0.0.1\\@example.com/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://127.0.0.1#@example.com/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://127.0.0.1:8000/v1?next=", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://127.0.0.1:4200/api/flows/count?", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://127.0.0.1:4200/api/flows/count#", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://me:secret@127.0.0.1/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "file:///etc/passwd", False),
        ("", "ADASTAR_SERVER_API_KEY", "http:///v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://localhost:99999/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://localhost:65536/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://localhost:0/v1", False),
        ("", "ADASTAR_SERVER_API_KEY", "http://localhost:65535/v1", True),
        ("OPENAI_API_KEY@api.example.com", "OPENAI_API_KEY", "https://api.example.com/v1", True),
        ("OPENAI_API_KEY@api.example.com:443", "OPENAI_API_KEY", "https://API.example.com:443/v1", True),
        ("OPENAI_API_KEY@api.example.com", "OPENAI_API_KEY", "http://api.example.com/v1", False),
        ("OPENAI_API_KEY@api.example.com", "OPENAI_API_KEY", "https://api.example.com:8443/v1", False),
        ("OPENAI_API_KEY@api.example.com", "OPENAI_API_KEY", "https://example.com/v1", False),
        ("OPENAI_API_KEY@api.example.com", "PREFECT_API_KEY", "https://api.example.com/v1", False),
        ("A_API_KEY@one, B_API_KEY@two:80", "A_API_KEY", "http://two/v1", False),
        ("A_API_KEY@one, B_API_KEY@two:80", "B_API_KEY", "http://two/v1", True),
        ("A_API_KEY@[fd00::1]:8000", "A_API_KEY", "http://[fd00::1]:8000/v1", True),
        ("api.example.com", "OPENAI_API_KEY", "https://api.example.com/v1", False),
    ],
)
def test_a_key_is_sent_only_where_the_operator_allows(
    monkeypatch: pytest.MonkeyPatch, servers: str, variable: str, url: str, *, allowed: bool
) -> None:
    monkeypatch.setenv("ADASTAR_SERVERS", servers)
    if allowed:
        check_server(url, variable)
    else:
        with pytest.raises(ConfigError) as refused:
            check_server(url, variable)
        assert "secret" not in str(refused.value)


def test_a_refused_server_is_named_with_what_to_set() -> None:
    config = resolve(
        {}, ["generator.openai.url=https://api.example.com/v1", "generator.openai.key_variable=MY_API_KEY"]
    )
    with pytest.raises(ConfigError, match=r"ADASTAR_SERVERS=MY_API_KEY@api\.example\.com:443"):
        OpenAiGenerator(config.generator)


@contextmanager
def listening(seen: list[dict[str, str]], status: int, location: str = "") -> Iterator[int]:
    """Yield the port of a server that notes the headers of every request and answers with one status."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_neither_a_redirect_nor_a_proxy_gets_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first: list[dict[str, str]] = []
    second: list[dict[str, str]] = []
    monkeypatch.setenv("ADASTAR_SERVER_API_KEY", "the-key")
    monkeypatch.setenv("NO_PROXY", "")
    with (
        listening(second, 200) as elsewhere,
        listening(first, 302, f"http://127.0.0.1:{elsewhere}/v1/models") as port,
    ):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{elsewhere}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{elsewhere}")
        config = resolve(
            {}, [f"generator.openai.url=http://127.0.0.1:{port}/v1", "generator.openai.retries=0"]
        )
        with pytest.raises(EngineError, match="302"):
            OpenAiGenerator(config.generator).hand_over(tmp_path, "0" * 64)
    assert [one["Authorization"] for one in first] == ["Bearer the-key"]
    assert second == []
