"""``adastar publish``: what is in a published folder, and what a hub gets, here one on this machine."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from datasets import load_dataset
from huggingface_hub import DatasetCard, ModelCard
from sqlalchemy import Engine, text
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.cli.conftest import Adastar

Json = Callable[..., dict]  # type: ignore[type-arg]


def test_the_folder_is_a_model_and_a_data_set_with_their_cards(
    adastar_json: Json, run_database: Engine, run_home: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    options = ("--to", str(folder), "--iteration", "2", "--license", "apache-2.0", "--data-license", "mit")
    made = adastar_json("publish", "mine", *options)
    (recorded,) = (row for row in adastar_json("show", "mine")["checkpoints"] if row["iteration"] == 2)
    assert made["sha256"] == recorded["sha256"]
    for name in ("model.safetensors", "config.json"):
        assert (folder / "model" / name).read_bytes() == (Path(recorded["path"]) / name).read_bytes()
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    tokens = AutoTokenizer.from_pretrained(folder / "model")("12+34", return_tensors="pt")
    assert model(**tokens).logits.shape[1] == tokens["input_ids"].shape[1]

    rows = load_dataset(str(folder / "dataset"), split="train", cache_dir=str(tmp_path / "cache"))
    with run_database.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM training_examples"))
        validation = connection.execute(
            text("SELECT correct, total FROM evaluations WHERE iteration = 2 AND split = 'validation'")
        ).one()
    assert made["examples"] == len(rows) == count
    assert DatasetCard.load(folder / "dataset" / "README.md").data.license == "mit"

    card = ModelCard.load(folder / "model" / "README.md")
    assert (card.data.license, card.data.library_name, card.data.base_model) == (
        "apache-2.0",
        "transformers",
        None,
    )
    (result,) = card.data.eval_results  # test is not measured for every iteration
    assert result.metric_value == pytest.approx(validation.correct / validation.total, abs=1e-6)
    assert f"| validation | {validation.total} |" in card.text
    assert re.search(r"\| \d+\.\d % \(\d+\.\d–\d+\.\d\) \| [+-]\d+\.\d \|", card.text)
    for row in adastar_json("lineage", "mine:2")["checkpoints"]:
        assert row["sha256"] in card.text
    assert "FLOPs" in card.text
    best = adastar_json("show", "mine")["best_iteration"]
    assert ("selected on validation" in card.text) is (best == 2)
    assert "| difficulty | questions | before | after | points |" in card.text
    for page in folder.glob("*/README.md"):
        assert str(run_home) not in page.read_text()
        assert str(tmp_path) not in page.read_text()


def test_the_selected_checkpoint_is_published_and_a_folder_is_never_overwritten(
    adastar: Adastar, adastar_json: Json, run_database: Engine, tmp_path: Path
) -> None:
    best = adastar_json("show", "mine")["best_iteration"]
    folder = tmp_path / "out"
    status, out, complaint = adastar("publish", "mine", "--to", str(folder))
    if best == 0:
        assert status == 1
        assert "--iteration N" in complaint
        with run_database.begin() as connection:
            connection.execute(
                text("UPDATE evaluations SET correct = 0 WHERE iteration = 0 AND split = 'validation'")
            )
        best = adastar_json("show", "mine")["best_iteration"]
        status, out, complaint = adastar("publish", "mine", "--to", str(folder))
    assert (status, complaint) == (0, "")
    assert f"(iteration {best}," in out
    assert "license is unknown: --license states it" in out
    status, _, complaint = adastar("publish", "mine", "--to", str(folder))
    assert status == 2
    assert "exists already" in complaint


def test_a_changed_checkpoint_is_not_published(adastar: Adastar, run_home: Path, tmp_path: Path) -> None:
    weights = next(run_home.glob("runs/*/checkpoints/iteration-0002/model.safetensors"))
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x99")
    folder = tmp_path / "out"
    assert adastar("publish", "mine", "--to", str(folder), "--iteration", "2")[0] == 1
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--to", "hub:a/b/c"), "hub:OWNER/NAME"),
        (("--to", "hub:"), "hub:OWNER/NAME"),
        (("--to", "x", "--license", "mit\nbase_model: evil"), "name of the hub"),
        (("--to", "x", "--iteration", "77"), "77"),
    ],
)
def test_what_cannot_be_is_refused(adastar: Adastar, options: tuple[str, ...], word: str) -> None:
    status, _, complaint = adastar("publish", "mine", *options)
    assert status in (1, 2)
    assert word in complaint


def test_hostile_names_stay_text_in_the_cards(adastar: Adastar, run_database: Engine, tmp_path: Path) -> None:
    with run_database.begin() as connection:
        connection.execute(
            text("UPDATE runs SET base_model = :name"), {"name": "/secret/<script>\n# h\u202e"}
        )
    folder = tmp_path / "out"
    assert adastar("publish", "mine", "--to", str(folder), "--iteration", "1")[0] == 0
    for page in folder.glob("*/README.md"):
        written = page.read_text()
        assert "<script" not in written
        assert "\n# h" not in written
        assert "/secret" not in written
        assert "\u202e" not in written


class Hub:
    """A server that speaks as much of the hub's interface as an upload takes, and keeps what it gets."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.private: dict[str, bool] = {}
        self.token = "hf_test"
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.answer(hub.post(self.path, self.body(), self.headers.get("authorization", "")))

            def do_PUT(self) -> None:
                data = self.body()
                hub.blobs[hashlib.sha256(data).hexdigest()] = data
                self.answer({})

            def do_GET(self) -> None:
                self.answer({"id": "x/y", "sha": "0" * 40, "xetEnabled": False})

            def body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("content-length", 0)))

            def answer(self, document: dict[str, object] | None) -> None:
                data = json.dumps(document or {"error": "no"}).encode()
                self.send_response(200 if document is not None else 401)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def post(self, path: str, body: bytes, authorization: str) -> dict[str, object] | None:
        if authorization != f"Bearer {self.token}":
            return None
        if path == "/api/repos/create":
            wanted = json.loads(body)
            kind = "datasets/" if wanted.get("type") == "dataset" else ""
            name = f"{wanted.get('organization', 'me')}/{wanted['name']}"
            self.private[kind + name] = wanted.get("private", False) or wanted.get("visibility") == "private"
            return {"url": f"{self.url}/{kind}{name}", "name": name}
        if "/preupload/" in path:
            given = json.loads(body)["files"]
            modes = {True: "lfs", False: "regular"}
            binary = (".safetensors", ".parquet")
            return {
                "files": [
                    {
                        "path": one["path"],
                        "uploadMode": modes[one["path"].endswith(binary)],
                        "shouldIgnore": False,
                    }
                    for one in given
                ]
            }
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}
        if path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            return {
                "transfer": "basic",
                "objects": [{**one, "actions": {"upload": {"href": f"{self.url}/blob"}}} for one in objects],
            }
        assert "/commit/" in path, path
        kept = self.files.setdefault(re.sub(r"^/api/(models/)?|/commit/.*$", "", path), {})
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                kept[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                kept[value["path"]] = self.blobs[value["oid"]]
        repository = re.sub(r"^/api/(models/)?|/commit/.*$", "", path)
        return {
            "commitUrl": f"{self.url}/{repository}/commit/{'1' * 40}",
            "commitOid": "1" * 40,
            "success": True,
        }


@pytest.fixture
def hub() -> Iterator[Hub]:
    found = Hub()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def published_there(hub: Hub, home: Path, token: str) -> subprocess.CompletedProcess[str]:
    """Publish in a process of its own: the library reads its environment when it is imported."""
    given = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    command = [
        sys.executable,
        "-m",
        "adastar_core.cli",
        "publish",
        "mine",
        "--to",
        "hub:me/adder",
        "--iteration",
        "1",
    ]
    environment = {**os.environ, **given, "HF_HOME": str(home / "hf")}
    environment.pop("HF_HUB_OFFLINE", None)
    return subprocess.run(
        [*command, "--home", str(home)], env=environment, capture_output=True, text=True, check=False
    )


def test_a_hub_gets_both_as_private_repositories(
    hub: Hub, adastar_json: Json, run_home: Path, tmp_path: Path
) -> None:
    done = published_there(hub, run_home, hub.token)
    assert done.returncode == 0, done.stderr
    assert f"{hub.url}/me/adder" in done.stdout
    assert hub.private == {"me/adder": True, "datasets/me/adder-rationales": True}
    adastar_json("publish", "mine", "--to", str(tmp_path / "here"), "--iteration", "1")
    for repository, part in (("me/adder", "model"), ("datasets/me/adder-rationales", "dataset")):
        folder = tmp_path / "here" / part
        here = {
            str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
        there = hub.files[repository]
        assert there.keys() == here.keys()
        for name in here.keys() - {"README.md"}:
            assert there[name] == here[name], name
    assert b"me/adder-rationales" in hub.files["me/adder"]["README.md"]


def test_a_hub_that_refuses_is_explained(hub: Hub, run_home: Path) -> None:
    done = published_there(hub, run_home, "hf_wrong")
    assert done.returncode == 2
    assert "hf auth login" in done.stderr
    assert "Traceback" not in done.stderr
    assert "hf_wrong" not in done.stderr
    assert hub.files == {}


def test_a_hub_that_is_not_there_is_explained(run_home: Path) -> None:
    gone = Hub()
    gone.server.server_close()
    done = published_there(gone, run_home, gone.token)
    assert done.returncode == 2
    assert "The hub did not take me/adder" in done.stderr
    assert "Traceback" not in done.stderr
