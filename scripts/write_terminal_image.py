"""Write ``docs/images/terminal.svg``: what a terminal shows in the middle of the quickstart, from a real run.

Run it: ``python -m scripts.write_terminal_image``. It takes as long as the quickstart does until its third iteration.
"""

from flows import environment  # isort: skip  # noqa: F401 (first: Prefect reads the environment when imported)

import io
import re
import tempfile
from pathlib import Path

from rich.console import Console

from adastar_core.config.base import base_of
from adastar_core.postgres.server import stop_local_postgres
from adastar_core.progress import Standing
from adastar_core.report.opening import opening
from adastar_core.runs.opening import open_workspace
from flows.adastar import adastar
from flows.console import TerminalProgress
from flows.prefect_server import prefect_server

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "terminal.svg"
COMMAND = "$ python flows/adastar.py --run quickstart"
WIDTH = 132


class Taken(Exception):
    """Ends the run once the picture is taken."""


class Camera(TerminalProgress):
    """Keeps what a terminal would show, and takes a picture in the middle of a stage."""

    def __init__(self, console: Console, title: str) -> None:
        super().__init__(console)
        self._title = title

    def show(self, standing: Standing) -> None:
        """Take the picture once the stage is half done."""
        self._standing = standing
        if standing.stage.title == self._title and standing.share >= 0.5:
            self._console.print(self.drawn())
            raise Taken


def main() -> None:
    console = Console(record=True, file=io.StringIO(), width=WIDTH, force_terminal=True)
    config = base_of("quickstart", None, (), "quickstart").resolve(())
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o711)  # a server of another user, where root works
        here = config.model_copy(update={"home": home})
        camera = Camera(console, "t=3 sample")
        try:
            with open_workspace(here, "quickstart", display=camera) as workspace, prefect_server():
                console.print(COMMAND, highlight=False)
                first = opening(workspace).splitlines()[0]
                console.print(first, highlight=False, markup=False)
                adastar(here, "quickstart")
        except Taken:
            pass
        finally:
            stop_local_postgres(home)
    svg = console.export_svg(title="adastar")
    # The page's own fonts do: none is fetched from elsewhere.
    IMAGE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
