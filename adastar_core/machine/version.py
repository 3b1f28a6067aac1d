"""The version of this code, with a digest of its sources that distinguishes states of one version."""

import hashlib
from functools import cache
from pathlib import Path

from adastar_core import __version__


@cache
def code_version() -> str:
    """Return the version and the beginning of a digest of every source file of the core, e.g. ``0.1.0+3f2a9c4e1b7d``."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"{__version__}+{digest.hexdigest()[:12]}"
