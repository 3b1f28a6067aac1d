"""The report as one self-contained HTML file: no script, no request to anywhere, every text escaped."""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from adastar_core.machine.units import accuracy, flops, percent, points, wall_time
from adastar_core.records import Accuracy
from adastar_core.report.costs import cost_cells, cost_headings
from adastar_core.report.figures import Figure
from adastar_core.report.records import RunReport
from adastar_core.report.text import cells, facts, headings, headline


def html(report: RunReport, figures: Iterable[Figure]) -> str:
    """Return the page with these figures. The same report gives the same text."""
    return _template().render(
        report=report,
        headline=headline(report),
        tiles=_tiles(report),
        figures=[(figure, _data_uri(figure.svg)) for figure in figures],
        headings=headings(report),
        rows=cells(report),
        difficulties=[
            (row.difficulty, accuracy(row.before), accuracy(row.after), points(row.before, row.after))
            for row in report.by_difficulty
        ],
        cost_headings=cost_headings(report),
        costs=cost_cells(report),
        facts=facts(report),
    )


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html.j2")


def _tiles(report: RunReport) -> list[tuple[str, str, str]]:
    """Return name, value and small print of the figures at the head of the page."""
    tiles = [
        _accuracy_tile("test", report.base_test, report.test),
        _accuracy_tile("validation", report.base_validation, report.selected_validation),
    ]
    iterations = f"of {len(report.iterations)}"
    return [
        *(tile for tile in tiles if tile is not None),
        ("selected iteration", str(report.best_iteration), iterations),
        ("compute", flops(report.total_pflops), f"{flops(report.total_padded_pflops)} with padding"),
        ("wall time", wall_time(report.wall_seconds), ""),
    ]


def _accuracy_tile(
    split: str, before: Accuracy | None, after: Accuracy | None
) -> tuple[str, str, str] | None:
    if before is None or after is None:
        return None
    change = f"{points(before, after)} points, from {percent(before.share)}"
    return f"{split} accuracy", percent(after.share), change


def _data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + b64encode(svg).decode()
