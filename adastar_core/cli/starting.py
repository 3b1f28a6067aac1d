"""``adastar run`` and ``adastar compare``: the two flows, which come with a checkout and with the image."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter

from adastar_core.cli.app import STARTED_BY
from adastar_core.errors import UserError

_FLOWS = Path(__file__).parents[2] / "flows"
Words = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def run(*words: Words) -> NoReturn:
    _become("run", "adastar.py", words)


def compare(*words: Words) -> NoReturn:
    _become("compare", "compare.py", words)


def _become(command: str, script: str, words: tuple[str, ...]) -> NoReturn:
    """Replace this process by the flow's, so that signals and the exit status are the flow's own."""
    path = _FLOWS / script
    if not path.is_file():
        raise UserError(
            f"adastar {command} starts flows/{script}, which is not part of the installed package. Clone the repository and "
            f"install it with 'pip install --editable .', or use its image: docker/Dockerfile."
        )
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, str(path), *words], {**os.environ, STARTED_BY: command})
