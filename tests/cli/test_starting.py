"""``adastar run`` and ``adastar compare`` in a checkout: the flow's own process, options and exit status."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("command", "script", "words"),
    [
        ("run", "adastar.py", ["--list-presets"]),
        ("run", "adastar.py", ["--preset", "nosuch", "--dry-run"]),
        ("compare", "compare.py", ["--help"]),
        ("compare", "compare.py", ["--methods", "all", "--seeds=4..0"]),
    ],
)
def test_a_command_is_the_script(command: str, script: str, words: list[str], tmp_path: Path) -> None:
    """From any folder, since each finds the checkout by where it lies."""
    started = [
        subprocess.run(
            [sys.executable, *program, *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        for program in (["-m", "adastar_core.cli", command], [str(ROOT / "flows" / script)])
    ]
    first, second = [(done.returncode, done.stdout, done.stderr) for done in started]
    assert first == second
    assert first[0] == (2 if first[2] else 0)
    assert "Traceback" not in first[2]
