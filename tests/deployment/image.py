"""The image without a Docker engine: the files that the Dockerfile copies, in a folder that plays /app."""

import re
import shutil
import site
import venv
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, continued lines joined."""
    lines = re.sub(
        r"\\\n", " ", "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
    )
    return [
        (word, rest) for word, _, rest in (line.partition(" ") for line in lines.splitlines() if line.strip())
    ]


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of each stage; what stands before the first is left out."""
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def lay_out(app: Path, stage: int = -1) -> Path:
    """Copy what a stage of the image takes from the checkout, and nothing else, to ``app``; return it."""
    app.mkdir(exist_ok=True)
    for word, rest in stages()[stage]:
        if word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                (app / target).mkdir(exist_ok=True)
                _copy(ROOT / source, app / target)
    return app


def _copy(source: Path, target: Path) -> None:
    """Copy as COPY does: a folder's content into the target, a file into it or to it."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=_left_out(), dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def _left_out() -> Callable[[str, list[str]], Iterable[str]]:
    patterns = (ROOT / ".dockerignore").read_text().split()

    def ignore(folder: str, names: list[str]) -> Iterable[str]:
        place = Path(folder).relative_to(ROOT)
        return {
            name
            for name in names
            for pattern in patterns
            if fnmatch(str(place / name), pattern) or pattern == f"**/{name}"
        }

    return ignore


def borrow_environment(folder: Path) -> None:
    """Make a new virtual environment with the packages of this one."""
    venv.create(folder, symlinks=True, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "here.pth").write_text("\n".join(site.getsitepackages()))
