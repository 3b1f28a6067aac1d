"""The comparison's figure: accuracy against compute per method, the mean over seeds with a band."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from adastar_core.comparison.records import Member
from adastar_core.comparison.statistics import curve, estimate
from adastar_core.comparison.table import Comparison
from adastar_core.methods import METHODS
from adastar_core.report.figures import Figure, draw
from adastar_core.report.units import flops_unit

_GRID = 120
_BANDS_FOR = 6


def comparison_figure(comparison: Comparison) -> Figure:
    """Return the figure."""
    caption = (
        "Test accuracy of the checkpoint selected so far against the compute spent, without padding: mean over seeds; "
        "bands are 95 % bootstrap intervals of the mean, drawn for up to six methods."
    )
    return draw("accuracy-by-compute", caption, lambda axes: _paint(axes, comparison), size=(7.6, 4.6))


def _paint(axes: Axes, comparison: Comparison) -> None:
    factor, unit = flops_unit(max(member.pflops for member in comparison.members))
    colors = colormaps["tab20" if len(comparison.rows) > 10 else "tab10"]
    for place, row in enumerate(comparison.rows):
        runs = [member for member in comparison.members if member.method == row.method]
        grid = _grid(runs)
        accuracy = curve(runs, grid, comparison.select_on)
        cost = np.asarray(grid) * factor
        color = colors(place % colors.N)
        axes.plot(cost, accuracy.mean(axis=0), color=color, label=METHODS[row.method].title, lw=1.6)
        if len(comparison.rows) <= _BANDS_FOR and len(runs) > 1:
            bounds = [estimate(column.tolist()) for column in accuracy.T]
            low, high = [one.low or 0.0 for one in bounds], [one.high or 0.0 for one in bounds]
            axes.fill_between(cost, low, high, color=color, alpha=0.15, lw=0)
    axes.axhline(comparison.base, color="#94a3b8", linestyle="--", lw=1, label="base model")
    title = "Test accuracy by compute" + (" (selected on test)" if comparison.select_on == "test" else "")
    axes.set(xlabel=f"compute ({unit}, without padding)", title=title)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="lower right", fontsize=7 if len(comparison.rows) > _BANDS_FOR else 9)


def _grid(runs: list[Member]) -> list[float]:
    """Return PFLOPs from nothing to what every run of the method has spent."""
    grid: list[float] = np.linspace(0, min(run.pflops for run in runs), _GRID).tolist()
    return grid
