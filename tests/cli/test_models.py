import json
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from adastar_core import cli
from adastar_core.models.library import OFFERS
from tests.support.tiny_llama import write_tiny_llama


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADASTAR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_models_are_listed_with_what_a_choice_needs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tiny_llama(home / "models" / "smollm2-135m")
    assert cli.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    smol, gemma = (next(line for line in lines if line.startswith(name)) for name in OFFERS)
    assert all(part in smol for part in ("apache-2.0", "yes", "93 MB", "134,515,008"))
    assert all(part in gemma for part in ("gemma", "no", "238 MB", "268,098,176"))
    assert any(str(home / "models" / "NAME") in line for line in lines)
    assert cli.main(["models", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert listed["smollm2-135m"]["directory"] == str(home / "models" / "smollm2-135m")
    assert listed["gemma3-270m"]["directory"] is None
    assert listed["gemma3-270m"]["terms"].startswith("https://")


def test_what_is_here_is_not_made_again(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in OFFERS:
        write_tiny_llama(home / "models" / name)
        assert cli.main(["models", "get", name]) == 0
        out = capsys.readouterr().out
        assert f"{name} was here already: {home / 'models' / name}" in out
        assert f"adastar init DATA --model {name}" in out


def test_an_unknown_name_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "get", "gpt-9"]) == 2
    assert "'gpt-9' here. The names are smollm2-135m, gemma3-270m" in capsys.readouterr().err


@pytest.mark.parametrize("terminal", [False, True])
def test_a_license_with_terms_must_be_accepted(home: Path, terminal: bool) -> None:
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "adastar_core.cli", "models", "get", "gemma3-270m"],
        stdin=slave if terminal else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with open(master, "wb") as keyboard:
        keyboard.write(b"n\n")
        keyboard.flush()
        out, err = done.communicate(timeout=120)
    assert "https://ai.google.dev/gemma/terms" in out
    assert ("was not downloaded" if terminal else "add --accept-license") in err
    assert done.returncode == 2
    assert not home.exists()
