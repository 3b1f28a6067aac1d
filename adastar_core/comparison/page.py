"""The comparison's files: page, figure and tables."""

from pathlib import Path
from typing import TYPE_CHECKING

from adastar_core.comparison import rung_text, text
from adastar_core.comparison.table import Comparison
from adastar_core.config.methods import METHODS
from adastar_core.machine.files import atomic_write
from adastar_core.report.page import templates

if TYPE_CHECKING:
    from adastar_core.report.figures import Figure


def write_comparison(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Write the result in every format into ``folder``, creating it if needed; return the files by name.

    The same comparison gives the same bytes. A selection on test is part of the files' names.
    """
    from adastar_core.comparison.figure import comparison_figure  # matplotlib is slow to load

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
        with atomic_write(folder / name) as part:
            part.write_bytes(content)
    return {name: folder / name for name in files}


def html(comparison: Comparison, figure: "Figure") -> str:
    """Return the page as one self-contained file: no script, every text escaped."""
    shown = (*(row.method for row in comparison.rows), *comparison.dropped)
    template = templates(Path(__file__).parent).get_template("comparison.html.j2")
    return template.render(
        comparison=comparison,
        headline=text.headline(comparison),
        figure=figure,
        headings=text.headings(comparison),
        rows=text.cells(comparison),
        methods=[(comparison.title_of(name), METHODS[name].summary) for name in shown],
        notes=text.notes(comparison),
        rungs=(rung_text.HEADINGS, rung_text.cells(comparison.decisions)),
        what_rungs_say=rung_text.WHAT_RUNGS_SAY,
    )
