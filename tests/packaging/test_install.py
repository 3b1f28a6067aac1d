"""scripts/install.sh: what it says before it downloads, and what it asks pip or uv to do, which here only note it."""

import os
import pty
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = "python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt"
UV = "uv pip install --quiet{} --constraint constraints.txt --editable ."
NOTE = '#!/bin/sh\necho "$(basename "$0") $*" >> "$NOTES"\n'
PYTHON = f"""#!/bin/sh
[ "$1" != -c ] || exec {sys.executable} "$@"
mkdir -p .venv/bin && cp "${{0%/*}}/noted" .venv/bin/python
"""


@dataclass(frozen=True)
class Machine:
    """A folder to install in, and a path on which nothing else is found than a Python, and uv where it is wanted."""

    folder: Path

    def install(
        self, wanted: str = ".", terminal: int | None = None, **settings: str
    ) -> tuple[int, str, list[str]]:
        """Return the script's exit status, what it said, and what was asked of pip and uv."""
        notes = self.folder / "notes"
        notes.write_text("")
        environment = {"PATH": str(self.folder / "bin"), "NOTES": str(notes), "PYTHON": "python3"} | settings
        done = subprocess.run(
            ["/bin/sh", str(ROOT / "scripts" / "install.sh"), wanted],
            cwd=self.folder, env=environment, stdout=terminal or subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        asked = [line for line in notes.read_text().splitlines() if "--version" not in line]
        return done.returncode, (done.stdout or "") + done.stderr, asked

    def program(self, name: str, text: str) -> None:
        """Put a program on the path."""
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    (tmp_path / "bin").mkdir()
    for tool in ("basename", "cp", "mkdir"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    made.program("python3", PYTHON)
    made.program("noted", NOTE)
    made.program("uname", "#!/bin/sh\necho Linux x86_64\n")
    return made


def test_pip_installs_what_a_run_needs(machine: Machine) -> None:
    status, said, asked = machine.install()
    assert (status, asked) == (0, [f"{PIP} --editable ."])
    assert "with pip" in said
    assert "about 3.0 GB" in said


def test_the_build_without_cuda_comes_from_its_own_index_and_the_rest_does_not(machine: Machine) -> None:
    status, said, asked = machine.install(TORCH="cpu")
    assert status == 0
    assert asked == [
        f"{PIP} --no-deps --index-url https://download.pytorch.org/whl/cpu torch",
        f"{PIP} --editable .",
    ]
    assert "about 0.45 GB" in said
    assert "NVIDIA" not in said


@pytest.mark.parametrize(("settings", "option"), [({}, ""), ({"TORCH": "cpu"}, " --torch-backend cpu")])
def test_uv_installs_where_it_is_there(machine: Machine, settings: dict[str, str], option: str) -> None:
    machine.program("uv", NOTE)
    status, said, asked = machine.install(**settings)
    assert (status, asked[-1]) == (0, UV.format(option))
    assert asked[0] == "uv venv --quiet --seed --allow-existing --python python3 .venv"
    assert "with uv" in said


def test_the_tests_need_more_in_the_same_environment(machine: Machine) -> None:
    machine.install()
    status, said, asked = machine.install(".[dev]")
    assert (status, asked) == (0, [f"{PIP} --editable .[dev]"])
    assert "0.19 GB more" in said


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="this machine has the driver")
def test_a_machine_without_a_driver_is_told_what_it_can_save(machine: Machine) -> None:
    assert "with TORCH=cpu (make run TORCH=cpu) it downloads 2.5 GB less" in machine.install()[1]
    machine.program("nvidia-smi", NOTE)
    assert "NVIDIA" not in machine.install()[1]
    machine.program("uname", "#!/bin/sh\necho Linux aarch64\n")
    (machine.folder / "bin" / "nvidia-smi").unlink()
    assert "NVIDIA" not in machine.install()[1]


def test_progress_is_shown_on_a_terminal(machine: Machine) -> None:
    ours, theirs = pty.openpty()
    _, _, asked = machine.install(terminal=theirs)
    os.close(theirs)
    os.close(ours)
    assert asked == [f"{PIP.replace(' --quiet', '')} --editable ."]


def test_what_cannot_be_installed_is_refused_first(machine: Machine) -> None:
    status, said, asked = machine.install(TORCH="rocm")
    assert (status, asked) == (2, [])
    assert "TORCH=rocm is unknown" in said
    machine.program("python3", "#!/bin/sh\nexit 1\n")
    status, said, asked = machine.install()
    assert (status, asked) == (2, [])
    assert "Python 3.11 or newer" in said


def test_the_page_repeats_the_sizes() -> None:
    script = (ROOT / "scripts" / "install.sh").read_text()
    page = (ROOT / "docs" / "installing.md").read_text()
    sizes = set(re.findall(r"[\d.]+ GB", script))
    assert {"3.0 GB", "0.45 GB", "0.19 GB"} <= sizes
    assert {size for size in sizes if size not in page} <= {"2.5 GB"}
