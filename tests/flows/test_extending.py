"""The examples of ``docs/extending.md``: every part of the page in one real run, as a reader would put them together."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from adastar_core.machine.plugins import Group
from tests.flows.conftest import ROOT, Command

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
LONGEST_EXAMPLE = 40


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_every_kind_of_part_has_an_example() -> None:
    headings = re.findall(r"^## (\w+)$", PAGE, re.MULTILINE)
    assert sorted(f"{heading.lower()}s" for heading in headings) == sorted(get_args(Group))


def test_the_examples_of_the_page_run_together(
    adastar: Command, configuration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = yaml.safe_load(configuration.read_text()) | {"iterations": 2, "schedule": {"first_steps": 2}}
    for example in blocks("python"):
        name = re.match(r"# (\w+\.py)\n", example)
        assert name, f"this example does not say its file: {example[:80]}"
        assert len(example.splitlines()) <= LONGEST_EXAMPLE, name[1]
        (tmp_path / name[1]).write_text(example)
    for example in blocks("yaml"):
        for key, group in yaml.safe_load(example).items():
            both = isinstance(group, dict) and key == "generator"
            values[key] = values[key] | group if both else group
    configuration.write_text(yaml.safe_dump(values))
    monkeypatch.chdir(tmp_path)
    result = adastar("--config", str(configuration), "--run", "own")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Monitor" not in result.stdout + result.stderr
    lines = (tmp_path / "own.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["iteration", "1", "2"]
    assert re.match(r"[012] /", (tmp_path / "own.best").read_text())
