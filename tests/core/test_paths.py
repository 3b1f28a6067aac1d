"""Any text in place of a path gives one sentence that names the field and the value."""

from pathlib import Path

import pytest

from adastar_core.cli.options import Common
from adastar_core.config import RunConfig
from adastar_core.config.access import check_access
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError
from adastar_core.machine.home import default_home, usable_home
from adastar_core.machine.paths import path_of
from adastar_core.models.source import resolve_model
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Split

NO_PATHS = {
    "unknown user": "~nosuch/x",
    "NUL": "/tmp/a\0b",
    "loop": "{folder}/loop/x",
    "long": "/tmp/" + "x" * 5000,
    "long and deep": "/tmp/" + "x/" * 5000,
}
FIELDS = [
    "home",
    "model",
    "problem.path",
    "problem.train",
    "problem.test",
    "problem.exemplars",
    "sampler.path",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "train.jsonl").write_text('{"question": "1+1", "answer": "2", "rationale": "2"}\n')
    return tmp_path


def config_with(key: str, value: str, folder: Path) -> RunConfig:
    data = folder if key == "problem.train" else folder / "train.jsonl"
    values: dict[str, object] = {"problem": {"type": "table", "path": str(data)}}
    group, _, name = key.rpartition(".")
    if group == "problem":
        values["problem"] = {"type": "table", "path": str(data), name: value}
    elif group == "sampler":
        values["sampler"] = {"type": "custom", "path": f"{value}.py:Mine"}
    else:
        values[name] = value
    return resolve(values)


def use(config: RunConfig, key: str) -> None:
    """Use the field as a run does, without the check at the border."""
    if key == "model":
        resolve_model(config.model)
    elif key == "home":
        usable_home(config.home)
    else:
        open_problem(config.problem).load(Split.TRAIN)


@pytest.mark.parametrize("kind", NO_PATHS)
@pytest.mark.parametrize("key", FIELDS)
@pytest.mark.parametrize("confined", ["", "1"])
def test_what_is_no_path_is_refused_by_field_and_value(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, key: str, confined: str
) -> None:
    monkeypatch.setenv("ADASTAR_CONFINED", confined)
    monkeypatch.setenv("ADASTAR_READABLE", str(folder) if confined else "")
    config = config_with(key, NO_PATHS[kind].format(folder=folder), folder)
    with pytest.raises(ConfigError, match=rf"^{key} = .*cannot be used as a path") as refused:
        check_access(config)
    assert len(str(refused.value)) < 300
    assert "\0" not in str(refused.value)
    if key != "sampler.path":
        with pytest.raises(ConfigError, match=rf"^{key} = .*cannot be used as a path"):
            use(config, key)


@pytest.mark.parametrize("kind", NO_PATHS)
def test_no_data_directory_is_made_of_what_is_no_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    text = NO_PATHS[kind].format(folder=folder)
    with pytest.raises(ConfigError, match=r"^--home = "):
        Common(home=Path(text)).directory()
    if kind != "NUL":  # which no environment can hold
        monkeypatch.setenv("ADASTAR_HOME", text)
        with pytest.raises(ConfigError, match=r"^ADASTAR_HOME = "):
            default_home()


def test_what_is_not_there_yet_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "new" / "er", tmp_path / "file" / "below", Path("relative")):
        assert path_of(str(path), "home") == path
    assert path_of("~/x", "home") == Path.home() / "x"
