"""The report's files in the run's directory."""

from pathlib import Path

from adastar_core.machine.files import atomic_write
from adastar_core.report.page import html
from adastar_core.report.records import RunReport
from adastar_core.report.text import markdown
from adastar_core.runs.stored import StoredRun


def write_report(stored: StoredRun, report: RunReport) -> dict[str, Path]:
    """Write the page, the Markdown and the figures, here and in the file store; return where they lie here by name."""
    from adastar_core.report.figures import figures  # matplotlib is slow to load

    folder = stored.folder / "report"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = figures(report)
    files = {"report.html": html(report, drawn).encode(), "report.md": markdown(report).encode()}
    files |= {f"{figure.name}.png": figure.png for figure in drawn}
    for name, content in files.items():
        with atomic_write(folder / name) as part:
            part.write_bytes(content)
        if stored.file_store is not None:
            stored.file_store.write(f"{stored.store_key}/report/{name}", content)
    return {name: folder / name for name in files}
