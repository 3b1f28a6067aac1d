"""The comparison's figure: accuracy by compute for each method, the mean over seeds with a band.

Up to six methods share one pair of axes. More have a panel each, which repeats AdaSTaR's curve in grey.
"""

from functools import cache, partial
from math import ceil

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import PercentFormatter

from adastar_core.comparison.intervals import curve, estimate
from adastar_core.comparison.table import REFERENCE, Comparison
from adastar_core.config.methods import MethodName
from adastar_core.report.figures import BLUE, GREY, Figure

_GRID = 120
_TOGETHER = 6
_COLUMNS = 4
_BELOW = 0.05
"""How far below the base model's accuracy a panel reaches. The accuracy of a method below that is written as text."""


def comparison_figure(comparison: Comparison) -> Figure:
    """Return the figure of a comparison: in one panel, or one per method where there are many."""
    name = "accuracy-by-compute"
    caption = (
        "Test accuracy of the checkpoint selected so far by compute spent, without padding: mean over seeds, with the "
        "95 % t interval of the mean at each point."
    )
    if len(comparison.rows) <= _TOGETHER:
        return Figure(name, caption, partial(_together, comparison), size=(7.6, 4.6))
    size = (11.0, 2.1 * ceil(len(comparison.rows) / _COLUMNS) + 0.4)
    reference = " Grey: AdaSTaR." if comparison.runs(REFERENCE) else ""
    return Figure(name, caption + reference, partial(_panels, comparison), size)


def _together(comparison: Comparison, canvas: Canvas) -> None:
    axes = canvas.add_subplot()
    colors = colormaps["tab10"]
    for place, row in enumerate(comparison.rows):
        _curve(axes, comparison, row.method, colors(place))
    _base(axes, comparison)
    axes.set(xlabel=f"compute ({comparison.unit[1]}, without padding)", title=_title(comparison))
    axes.legend(loc="best")  # curves rise early or late


def _panels(comparison: Comparison, canvas: Canvas) -> None:
    canvas.suptitle(_title(comparison), x=0.01, ha="left", weight="bold")
    canvas.supxlabel(f"compute ({comparison.unit[1]}, without padding)", size=10)
    rows = ceil(len(comparison.rows) / _COLUMNS)
    panels = canvas.subplots(rows, _COLUMNS, sharex=True, sharey=True).ravel()
    for axes, row in zip(panels, comparison.rows, strict=False):
        if row.method != REFERENCE and comparison.runs(REFERENCE):
            _curve(axes, comparison, REFERENCE, GREY, band=False)
        _curve(axes, comparison, row.method, BLUE)
        _base(axes, comparison)
        axes.set_title(comparison.title_of(row.method), size=9)
        axes.tick_params(labelsize=8)
        if row.accuracy.mean < comparison.base - _BELOW:
            axes.text(0.03, 0.04, f"below: {row.accuracy.mean:.1%}", transform=axes.transAxes, size=8)
    panels[0].set_ylim(bottom=comparison.base - _BELOW)
    for axes in panels[len(comparison.rows) :]:
        axes.set_axis_off()


def _curve(
    axes: Axes, comparison: Comparison, method: MethodName, color: object, *, band: bool = True
) -> None:
    runs = comparison.runs(method)
    # The curve ends where the cheapest run ends: beyond, the mean would be over fewer seeds.
    grid = np.linspace(0, min(run.pflops for run in runs), _GRID)
    accuracy = curve(runs, grid.tolist(), comparison.select_on)
    cost = grid * comparison.unit[0]
    axes.plot(cost, accuracy.mean(axis=0), color=color, label=comparison.title_of(method), lw=1.6)
    if band and len(runs) > 1:
        low, high = zip(*(_interval(tuple(column)) for column in accuracy.T.tolist()), strict=True)
        axes.fill_between(cost, low, high, color=color, alpha=0.15, lw=0)


@cache
def _interval(values: tuple[float, ...]) -> tuple[float, float]:
    """Return the bounds of a mean. Cached: a curve is a step function, so most of its points have equal values."""
    found = estimate(values)
    if found.low is None or found.high is None:
        return found.mean, found.mean
    return found.low, found.high


def _base(axes: Axes, comparison: Comparison) -> None:
    axes.axhline(comparison.base, color=GREY, linestyle="--", lw=1, label="base model")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _title(comparison: Comparison) -> str:
    return "Test accuracy by compute" + (" (selected on test)" if comparison.select_on == "test" else "")
