"""``adastar run`` and ``adastar compare`` in a checkout: the flow's own process, options and exit status."""

import os
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
        ("run", "adastar.py", ["--nosuch"]),
        ("run", "adastar.py", ["--help"]),
        ("compare", "compare.py", ["--help"]),
        ("compare", "compare.py", ["--methods", "all", "--seeds=4..0"]),
    ],
)
def test_a_command_is_the_script(command: str, script: str, words: list[str], tmp_path: Path) -> None:
    """From any folder, since each finds the checkout by where it lies. Only the name in help and errors differs."""
    started = [
        subprocess.run(
            [sys.executable, *program, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "COLUMNS": "200"},  # no line breaks elsewhere because a name is longer
        )
        for program in (["-m", "adastar_core.cli", command], [str(ROOT / "flows" / script)])
    ]
    first, second = [(done.returncode, done.stdout, done.stderr) for done in started]
    called, named = f"python flows/{script}", f"adastar {command}"
    assert called not in first[1] + first[2]
    assert first == (second[0], second[1].replace(called, named), second[2].replace(called, named))
    assert first[0] == (2 if first[2] else 0)
    assert "Traceback" not in first[2]
