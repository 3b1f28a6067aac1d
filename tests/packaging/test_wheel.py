"""The wheel in an environment of its own, beside a user's tasks.py and flows: it has the tools and the algorithm."""

import json
import os
import shutil
import site
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("adastar_core", "flows", "tasks", "pyproject.toml", "README.md", "LICENSE")
NOTEBOOK = """
import tasks
from adastar_core.records import Observation
from adastar_core.samplers import Statistics
from adastar_core.samplers.adastar import AdaStarSettings
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.selection import Visit

assert tasks.MINE == "the user's"
pool = [Observation(f"id {n}", f"question {n}", "1") for n in range(6)]
sampler = open_sampler(AdaStarSettings(power=1.0), 0, pool, Statistics.empty(6))
first = list(sampler.order(1))
# All were visited; half of the attempts were right, so the first half of the visits is stamped.
visits = [Visit(position, place % 2, place % 2, 1, bool(place % 2)) for place, position in enumerate(first)]
print(sampler.observe(1, visits, 0.5), first, list(sampler.order(2)))
"""


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a folder of its user."""

    wheel: Path
    programs: Path
    work: Path

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of the environment in the user's folder."""
        settings = {"ADASTAR_HOME": str(self.work / "home"), "HOME": str(self.work)}
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ADASTAR"))
        }
        return subprocess.run(
            [str(self.programs / program), *arguments],
            cwd=self.work, env=kept | settings, capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel from a copy of the sources and install it; dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    source, environment, work = folder / "source", folder / "environment", folder / "work"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index"]
    build = ["wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    subprocess.run([*pip, "--python", str(python), "install", *offline, str(wheel)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    # A .pth adds folders and reads no .pth in them: this environment's editable adastar stays out.
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    work.mkdir()
    (work / "tasks.py").write_text('MINE = "the user\'s"\n')
    (work / "flows").mkdir()
    (work / "flows" / "__init__.py").write_text('MINE = "the user\'s"\n')
    return Installed(wheel, python.parent, work)


def test_the_wheel_claims_one_name(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
        (claimed,) = (wheel.read(name).decode().split() for name in names if name.endswith("top_level.txt"))
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"adastar_core", "adastar"}
    assert claimed == ["adastar_core"]
    data = {name.removeprefix("adastar_core/") for name in names}
    assert {
        "py.typed",
        "presets/quickstart.yaml",
        "models/tiny-adder/model.safetensors",
        "models/tiny-countdown/model.safetensors",
    } <= data
    assert any(name.startswith("store/migrations/versions/") for name in data)
    pages = ROOT / "adastar_core" / "ui"
    assert {
        f"ui/{path.relative_to(pages)}" for path in pages.rglob("*.*") if "__pycache__" not in path.parts
    } <= data


def test_the_tools_run(installed: Installed) -> None:
    listed = installed.run("adastar", "--help")
    assert listed.returncode == 0, listed.stderr
    assert "Maintain" in listed.stdout
    doctor = installed.run("adastar", "doctor", "--json")
    assert doctor.returncode == 0, doctor.stderr
    found = {finding["what"]: finding for finding in json.loads(doctor.stdout)["findings"]}
    assert str(installed.programs.parent) in found["engine"]["found"], "the packaged model is the wheel's own"
    row = {"row": {"question": "12+30"}, "response": "#### 42"}
    (installed.work / "responses.jsonl").write_text(json.dumps(row) + "\n")
    judged = installed.run("adastar", "judge", "--problem", "arithmetic", "responses.jsonl")
    assert judged.returncode == 0, judged.stderr
    assert len(judged.stdout.splitlines()) == 1
    assert json.loads(judged.stdout)["verdict"] == "right"


def test_the_algorithm_runs_and_the_users_names_are_theirs(installed: Installed) -> None:
    (installed.work / "notebook.py").write_text(NOTEBOOK)
    done = installed.run("python", "notebook.py")
    assert done.returncode == 0, done.stderr
    stamped, _, orders = done.stdout.partition(" ")
    first, then = json.loads(f"[{orders.replace('] [', '], [')}]")
    assert stamped == "3"
    assert sorted(first) == [0, 1, 2, 3, 4, 5]
    assert then[:3] == first[3:], "those that were not stamped come first"
    assert then[3:] in ([first[0], first[2], first[1]], [first[2], first[0], first[1]]), (
        "then the least successful"
    )


@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_flow_says_where_it_is(installed: Installed, command: str) -> None:
    done = installed.run("adastar", command, "--set", "iterations=2", "--help")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"adastar: adastar {command} starts flows/")
    assert "Clone the repository" in done.stderr
    assert done.stderr.count("\n") == 1
