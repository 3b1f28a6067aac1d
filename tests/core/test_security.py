"""Paths stay where they may be, text stays text, and nothing that could run code is loaded."""

import ast
import json
import os
import shutil
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

import adastar_core
from adastar_core.cli.output import print_line, print_table
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError, DataError, ModelError
from adastar_core.models.source import resolve_model
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Split
from adastar_core.runs.stored import folder_of

ROW = '{"question": "1+1", "answer": "2", "rationale": "1+1=2"}\n'


@pytest.fixture
def allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that may be read; there is a secret next to it."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "data.jsonl").write_text(ROW * 1)
    (tmp_path / "secret.jsonl").write_text(ROW)
    (folder / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    monkeypatch.setenv("ADASTAR_READABLE", os.pathsep.join([str(tmp_path / "other"), str(folder)]))
    return folder


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"path": "{allowed}/../secret.jsonl"}, "problem.path"),
        ({"path": "{allowed}/link.jsonl"}, "problem.path"),
        ({"path": "{allowed}", "train": "../secret.jsonl"}, "problem.train"),
        ({"path": "{allowed}/data.jsonl", "test": "../secret.jsonl"}, "problem.test"),
        ({"path": "{allowed}/data.jsonl", "exemplars": "{allowed}/../secret.jsonl"}, "problem.exemplars"),
    ],
)
def test_data_outside_the_allowed_folders_is_refused(
    allowed: Path, settings: dict[str, str], key: str
) -> None:
    problem = {name: value.format(allowed=allowed) for name, value in settings.items()}
    config = resolve({"problem": {"type": "table", **problem}})
    with pytest.raises(ConfigError, match=key) as refused:
        open_problem(config.problem).load(Split.TRAIN)
    assert "ADASTAR_READABLE" in str(refused.value)


def saved_elsewhere(allowed: Path, kind: str) -> Path:
    """Save a data set in the folder that may be read, and make it lead to another one outside."""
    rows = {"question": ["1+1"], "answer": ["2"]}
    folder, outside = allowed / "saved", allowed.parent / "outside"
    DatasetDict({"train": Dataset.from_dict(rows)}).save_to_disk(folder)
    DatasetDict({"train": Dataset.from_dict(rows)}).save_to_disk(outside)
    part = folder / "train"
    arrow = "data-00000-of-00001.arrow"
    if kind in ("state.json", "dataset_info.json", arrow):
        (part / kind).unlink()
        (part / kind).symlink_to(outside / "train" / kind)
    elif kind == "split":
        shutil.rmtree(part)
        part.symlink_to(outside / "train")
    elif kind.startswith("filename"):
        state = json.loads((part / "state.json").read_text())
        name = f"{outside}/train/{arrow}" if kind.endswith("/") else f"../../../outside/train/{arrow}"
        state["_data_files"] = [{"filename": name}]
        (part / "state.json").write_text(json.dumps(state))
    else:
        (folder / "dataset_dict.json").write_text(json.dumps({"splits": [kind.format(outside=outside)]}))
    return folder


@pytest.mark.parametrize(
    "kind",
    [
        "data-00000-of-00001.arrow",
        "state.json",
        "dataset_info.json",
        "split",
        "filename",
        "filename/",
        "../../outside/train",
        "{outside}/train",
        "..",
        "train/../../../outside/train",
        "x::file://outside",
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_a_saved_data_set_cannot_lead_outside(allowed: Path, kind: str, *, named: bool) -> None:
    folder = saved_elsewhere(allowed, kind)
    problem = {"type": "table", "path": str(folder)}
    if named and "/" in kind:
        problem["train"] = kind.format(outside=folder.parent.parent / "outside")
    with pytest.raises((ConfigError, DataError), match=r"problem\.(path|train)") as refused:
        open_problem(resolve({"problem": problem}).problem).load(Split.TRAIN)
    assert "ADASTAR_READABLE" in str(refused.value) or "not beside it" in str(refused.value)


@pytest.mark.parametrize("text", ['{"splits": 3}', "{}", "[]", "{", '{"splits": [1]}', '{"splits": null}'])
def test_a_broken_saved_data_set_is_bad_data(allowed: Path, text: str) -> None:
    folder = saved_elsewhere(allowed, "train")
    (folder / "dataset_dict.json").write_text(text)
    with pytest.raises(DataError, match=r"problem\.path"):
        open_problem(resolve({"problem": {"type": "table", "path": str(folder)}}).problem).load(Split.TRAIN)


def test_a_saved_data_set_opens_no_file_that_a_row_names(allowed: Path) -> None:
    rows = [
        {
            "question": f"1+{n}",
            "answer": f"{n + 1}",
            "picture": {"bytes": b"", "path": str(allowed.parent / "x.png")},
        }
        for n in range(40)
    ]
    Dataset.from_list(rows).save_to_disk(allowed / "saved")
    info = json.loads((allowed / "saved" / "dataset_info.json").read_text())
    info["features"]["picture"] = {"_type": "Image"}
    (allowed / "saved" / "dataset_info.json").write_text(json.dumps(info))
    config = resolve({"problem": {"type": "table", "path": str(allowed / "saved")}})
    assert open_problem(config.problem).load(Split.TRAIN)


def test_a_model_outside_the_allowed_folders_is_refused(allowed: Path, tmp_path: Path) -> None:
    shutil.copytree(resolve_model("tiny-adder"), tmp_path / "model")
    with pytest.raises(ConfigError, match="model"):
        resolve_model(f"{allowed}/../model")
    shutil.move(tmp_path / "model", allowed / "model")
    assert resolve_model(str(allowed / "model")) == allowed / "model"


@pytest.mark.parametrize("name", ["../models/tiny-adder", "tiny-adder/../tiny-adder", ".."])
def test_a_packaged_name_is_a_name_and_no_path(allowed: Path, name: str) -> None:
    with pytest.raises((ConfigError, ModelError)):
        resolve_model(name)


def test_an_index_of_weights_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    shutil.copytree(resolve_model("tiny-adder"), tmp_path / "model")
    index = {"weight_map": {"w": "../../secret.safetensors"}}
    (tmp_path / "model" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"secret\.safetensors"):
        resolve_model(str(tmp_path / "model"))


@pytest.mark.parametrize("name", ["../../etc", "..", "/etc/passwd", ".", "a/../../b"])
def test_a_run_name_cannot_lead_out_of_the_data_directory(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path, name, "0123456789")
    assert folder.resolve().parent == (tmp_path / "runs").resolve()


def test_model_text_cannot_drive_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b]0;title\x07\x1b[2J[bold red]x[/] \x9b31m\r\u202edrow"
    print_line(hostile)
    print_table(["text"], [[hostile]])
    printed = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e"} & set(printed)
    assert printed.count("[bold red]") == 2


def test_nothing_loads_what_could_run_code() -> None:
    root = Path(adastar_core.__file__).parents[1]
    sources = [
        path for folder in ("adastar_core", "tasks", "flows") for path in (root / folder).rglob("*.py")
    ]
    assert len(sources) > 100
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}, source
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                keywords = {one.arg: ast.unparse(one.value) for one in node.keywords}
                if called.startswith("Auto") and called.endswith((".from_pretrained", ".from_config")):
                    assert keywords.get("trust_remote_code") == "False", source
                if called == "AutoModelForCausalLM.from_pretrained":
                    # A GGUF file has no pickles either.
                    assert keywords.get("use_safetensors") == "True" or "gguf_file" in keywords, source
                assert called != "torch.load" or keywords.get("weights_only") == "True", source
                assert keywords.get("trust_remote_code", "False") == "False", source
                assert keywords.get("allow_pickle", "False") == "False", source
