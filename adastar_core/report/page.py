"""The report as one self-contained HTML file: no script, no external request, every text escaped."""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adastar_core.machine.units import flops, percent, points, wall_time
from adastar_core.machine.visible import visible
from adastar_core.report import beside, calibration, text
from adastar_core.report.records import RunReport

if TYPE_CHECKING:
    from adastar_core.report.figures import Figure


def html(report: RunReport, figures: Iterable["Figure"]) -> str:
    """Return the page with these figures. The same report gives the same text."""
    template = templates(Path(__file__).parent).get_template("report.html.j2")
    return template.render(
        report=report,
        headline=text.headline(report),
        beside=beside.beside(report.base_controls, report.controls, report.as_sampled),
        controls=beside.tables(report),
        worst=text.worst(report),
        shares=text.what_shares_are_of(report),
        samples=[
            (text.sample_title(report, group.kind), group.total, group.samples) for group in report.samples
        ],
        answers=partial(text.answers, report),
        shown=text.shown,
        tiles=_tiles(report),
        figures=figures,
        iterations=(text.headings(report), text.cells(report)),
        difficulties=(text.difficulty_headings(report), text.difficulty_cells(report)),
        calibration=report.calibration and calibration.calibration_line(report.calibration),
        reliability=report.calibration
        and (calibration.HEADINGS, calibration.calibration_table(report.calibration)),
        costs=(text.cost_headings(report), text.cost_cells(report)),
        facts=text.facts(report),
    )


@cache
def templates(folder: Path) -> Environment:
    """Return the page templates in ``folder``, which may extend ``base.html.j2``. The filter ``uri`` embeds an SVG."""
    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Every text is spelled out before it is escaped: what a model wrote cannot turn the direction of the page.
    environment.finalize = lambda value: visible(value) if type(value) is str else value
    environment.filters["uri"] = lambda svg: "data:image/svg+xml;base64," + b64encode(svg).decode()
    return environment


def _tiles(report: RunReport) -> list[tuple[str, str, str]]:
    tiles = []
    validation = ("validation", report.base_validation, report.selected_validation)
    for split, before, after in (("test", report.base_test, report.test), validation):
        if before is not None and after is not None:
            count = f"of {after.total:,} questions"
            gain = f"{points(before, after)} points, from {percent(before.share)} {count}"
            gain = f"the base model's, {count}" if report.selects_base else gain
            tiles.append((f"{split} accuracy", percent(after.share), gain))
    return [
        *tiles,
        (
            "selected iteration",
            "base model" if report.selects_base else str(report.best_iteration),
            f"of {len(report.iterations)}",
        ),
        ("compute", flops(report.total_pflops), f"{flops(report.total_padded_pflops)} with padding"),
        ("wall time", wall_time(report.wall_seconds), ""),
    ]
