"""A fresh checkout of the project, in which `make install` has nothing left to do."""

import shutil
import subprocess
from pathlib import Path

from tests.deployment.image import ROOT, borrow_environment


def fresh_checkout(folder: Path) -> Path:
    """Copy what git knows, or would take, to ``folder``; what is installed there is this environment."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    borrow_environment(folder / ".venv")
    (folder / ".venv" / ".installed").touch()
    return folder
