"""The comparison's figure: accuracy against compute per method, the mean over seeds with a band.

Up to six methods share their axes; more of them have a panel each, with AdaSTaR's curve to compare with.
"""

from collections.abc import Sequence
from functools import cache
from math import ceil

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import PercentFormatter

from adastar_core.comparison.intervals import curve, estimate
from adastar_core.comparison.member import Member
from adastar_core.comparison.table import REFERENCE, Comparison
from adastar_core.config.methods import METHODS, MethodName
from adastar_core.machine.units import flops_unit
from adastar_core.report.figures import Figure, draw, draw_canvas

_GRID = 120
_TOGETHER = 6
_COLUMNS = 4
_BELOW = 0.05
"""How far below the base model's accuracy a panel reaches; a method below it has its accuracy written out."""
_GREY, _BLUE = "#94a3b8", "#2563eb"


def comparison_figure(comparison: Comparison) -> Figure:
    """Return the figure."""
    name = "accuracy-by-compute"
    caption = (
        "Test accuracy of the checkpoint selected so far against the compute spent, without padding: mean over seeds with "
        "95 % t intervals of the mean, point by point."
    )
    if len(comparison.rows) <= _TOGETHER:
        return draw(name, caption, lambda axes: _together(axes, comparison), size=(7.6, 4.6))
    size = (11.0, 2.1 * ceil(len(comparison.rows) / _COLUMNS) + 0.4)
    reference = " Grey: AdaSTaR." if _runs(comparison, REFERENCE) else ""
    return draw_canvas(name, caption + reference, lambda canvas: _panels(canvas, comparison), size)


def _together(axes: Axes, comparison: Comparison) -> None:
    colors = colormaps["tab10"]
    for place, row in enumerate(comparison.rows):
        _curve(axes, comparison, row.method, colors(place))
    _base(axes, comparison)
    axes.set(xlabel=f"compute ({_unit(comparison)[1]}, without padding)", title=_title(comparison))
    axes.legend(loc="lower right")


def _panels(canvas: Canvas, comparison: Comparison) -> None:
    canvas.suptitle(_title(comparison), x=0.01, ha="left", weight="bold")
    canvas.supxlabel(f"compute ({_unit(comparison)[1]}, without padding)", size=10)
    rows = ceil(len(comparison.rows) / _COLUMNS)
    panels = canvas.subplots(rows, _COLUMNS, sharex=True, sharey=True).ravel()
    for axes, row in zip(panels, comparison.rows, strict=False):
        if row.method != REFERENCE and _runs(comparison, REFERENCE):
            _curve(axes, comparison, REFERENCE, _GREY, band=False)
        _curve(axes, comparison, row.method, _BLUE)
        _base(axes, comparison)
        axes.set_title(METHODS[row.method].title, size=9)
        axes.tick_params(labelsize=8)
        if row.accuracy.mean < comparison.base - _BELOW:
            axes.text(0.03, 0.04, f"below: {row.accuracy.mean:.1%}", transform=axes.transAxes, size=8)
    panels[0].set_ylim(bottom=comparison.base - _BELOW)
    for axes in panels[len(comparison.rows) :]:
        axes.set_axis_off()


def _curve(
    axes: Axes, comparison: Comparison, method: MethodName, color: object, *, band: bool = True
) -> None:
    """Draw a method's mean over seeds and, from two seeds on, its interval."""
    runs = _runs(comparison, method)
    grid = _grid(runs)
    accuracy = curve(runs, grid, comparison.select_on)
    cost = np.asarray(grid) * _unit(comparison)[0]
    axes.plot(cost, accuracy.mean(axis=0), color=color, label=METHODS[method].title, lw=1.6)
    if band and len(runs) > 1:
        low, high = zip(*(_interval(tuple(column)) for column in accuracy.T.tolist()), strict=True)
        axes.fill_between(cost, low, high, color=color, alpha=0.15, lw=0)


@cache
def _interval(values: tuple[float, ...]) -> tuple[float, float]:
    """Return the bounds of a mean. A curve is a step function, so that few sets of values make all of its points."""
    found = estimate(values)
    if found.low is None or found.high is None:
        return found.mean, found.mean
    return found.low, found.high


def _base(axes: Axes, comparison: Comparison) -> None:
    axes.axhline(comparison.base, color=_GREY, linestyle="--", lw=1, label="base model")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _title(comparison: Comparison) -> str:
    return "Test accuracy by compute" + (" (selected on test)" if comparison.select_on == "test" else "")


def _unit(comparison: Comparison) -> tuple[float, str]:
    return flops_unit(max(member.pflops for member in comparison.members))


def _runs(comparison: Comparison, method: MethodName) -> list[Member]:
    return [member for member in comparison.members if member.method == method]


def _grid(runs: Sequence[Member]) -> list[float]:
    """Return PFLOPs from nothing to what every run of the method has spent."""
    grid: list[float] = np.linspace(0, min(run.pflops for run in runs), _GRID).tolist()
    return grid
