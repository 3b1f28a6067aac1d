"""The comparison's files: page, figure, tables."""

from base64 import b64encode
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from adastar_core.comparison import text
from adastar_core.comparison.figure import comparison_figure
from adastar_core.comparison.table import Comparison
from adastar_core.config.methods import METHODS
from adastar_core.report.figures import Figure


def write_comparison(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Write every form of the result into ``folder``, made when missing; return the files by name.

    The same comparison gives the same bytes. Files of a selection on test say so in their name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mark = "-selected-on-test" if comparison.select_on == "test" else ""
    figure = comparison_figure(comparison)
    files = {
        f"comparison{mark}.html": html(comparison, figure).encode(),
        f"comparison{mark}.md": text.markdown(comparison).encode(),
        f"comparison{mark}.tex": text.latex(comparison).encode(),
        f"comparison{mark}.csv": text.table_csv(comparison).encode(),
        f"runs{mark}.csv": text.runs_csv(comparison).encode(),
        f"{figure.name}{mark}.png": figure.png,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in files}


def html(comparison: Comparison, figure: Figure) -> str:
    """Return the page: one self-contained file, no script, every text escaped."""
    return _template().render(
        comparison=comparison,
        headline=text.headline(comparison),
        figure=figure,
        source="data:image/svg+xml;base64," + b64encode(figure.svg).decode(),
        headings=text.headings(comparison),
        rows=text.cells(comparison),
        methods=[METHODS[row.method] for row in comparison.rows],
        notes=text.notes(comparison),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("comparison.html.j2")
