"""The figures of a report, drawn without a display and the same bytes every time."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from warnings import catch_warnings, filterwarnings

import matplotlib.style as mpl_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, PercentFormatter

from adastar_core.machine.units import flops_unit
from adastar_core.records import Accuracy
from adastar_core.report.records import RunReport

_BLUE, _GREY, _GREEN, _INK = "#2563eb", "#94a3b8", "#059669", "#334155"
_STYLE: dict[str, object] = {
    "font.size": 10,
    "axes.edgecolor": "#cbd5e1",
    "axes.labelcolor": _INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e2e8f0",
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    "svg.hashsalt": "adastar",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One drawn figure.

    Attributes:
        name: For a file name, e.g. ``"accuracy-by-compute"``.
        caption: What it shows, one sentence.
        svg: The drawing for pages.
        png: The drawing for everything else.
    """

    name: str
    caption: str
    svg: bytes
    png: bytes


def figures(report: RunReport) -> tuple[Figure, ...]:
    """Return the figures that the report has data for."""
    drawn = [
        draw(
            "accuracy-by-compute",
            "Validation accuracy against the compute spent so far, with 95 % intervals; the ring marks the "
            "selected checkpoint.",
            lambda axes: _accuracy_by_compute(axes, report),
        )
    ]
    if report.by_difficulty:
        caption = "Accuracy by difficulty, before and after, with 95 % intervals."
        drawn.append(draw("accuracy-by-difficulty", caption, lambda axes: _by_difficulty(axes, report)))
    if sum(report.trained_frequency):
        caption = (
            "How often each observation was trained on over the whole run: the narrower, the more evenly."
        )
        drawn.append(draw("trained-frequency", caption, lambda axes: _trained_frequency(axes, report)))
    return tuple(drawn)


def draw(
    name: str, caption: str, paint: Callable[[Axes], None], size: tuple[float, float] = (6.4, 3.6)
) -> Figure:
    """Return the figure that ``paint`` draws on one pair of axes; ``size`` is in inches."""
    return draw_canvas(name, caption, lambda canvas: paint(canvas.add_subplot()), size)


def draw_canvas(
    name: str, caption: str, paint: Callable[[Canvas], None], size: tuple[float, float]
) -> Figure:
    """Return the figure whose axes ``paint`` adds and draws; ``size`` is in inches."""
    with mpl_style.context(_STYLE), catch_warnings():
        filterwarnings("ignore", message="Glyph .* missing")  # a label in a script that the font lacks
        canvas = Canvas(figsize=size, layout="constrained")
        paint(canvas)
        svg, png = BytesIO(), BytesIO()
        canvas.savefig(svg, format="svg", metadata={"Date": None})
        canvas.savefig(png, format="png", dpi=150)
    return Figure(name, caption, svg.getvalue(), png.getvalue())


def _accuracy_by_compute(axes: Axes, report: RunReport) -> None:
    factor, unit = flops_unit(report.total_pflops)
    spent = [0.0, *accumulate(row.pflops * factor for row in report.iterations)]
    measured = [report.base_validation, *(row.validation for row in report.iterations)]
    known = [(t, _bounds(found)) for t, found in enumerate(measured) if found is not None and found.total]
    cost = [spent[t] for t, _ in known]
    share = [bounds.share for _, bounds in known]
    axes.fill_between(
        cost,
        [bounds.low for _, bounds in known],
        [bounds.high for _, bounds in known],
        color=_BLUE,
        alpha=0.15,
        lw=0,
    )
    axes.plot(cost, share, color=_BLUE, marker="o", markersize=4, label="after each iteration")
    if report.base_validation.share is not None:
        axes.axhline(report.base_validation.share, color=_GREY, linestyle="--", lw=1, label="base model")
    for place, (t, _) in enumerate(known):
        if t == report.best_iteration:
            label = f"selected: iteration {t}" if t else "selected: the base model"
            axes.scatter(
                cost[place],
                share[place],
                s=130,
                facecolors="none",
                edgecolors=_GREEN,
                linewidths=2,
                zorder=3,
                label=label,
            )
    axes.set(xlabel=f"compute ({unit}, without padding)", title="Validation accuracy by compute")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="best")


def _by_difficulty(axes: Axes, report: RunReport) -> None:
    rows = report.by_difficulty
    for offset, label, color, side in (
        (-0.2, "before", _GREY, [row.before for row in rows]),
        (0.2, "after", _BLUE, [row.after for row in rows]),
    ):
        bounds = [_bounds(found) for found in side]
        errors = [[one.share - one.low for one in bounds], [one.high - one.share for one in bounds]]
        places = [place + offset for place in range(len(rows))]
        axes.bar(
            places,
            [one.share for one in bounds],
            0.38,
            color=color,
            label=label,
            yerr=errors,
            ecolor=_INK,
            capsize=2,
        )
    axes.set_xticks(range(len(rows)), [_plain(row.difficulty) for row in rows])
    axes.set(xlabel="difficulty", title="Accuracy by difficulty", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0.6, 1.0), ncols=2, borderaxespad=0.1)


def _trained_frequency(axes: Axes, report: RunReport) -> None:
    counts = report.trained_frequency
    axes.bar(range(len(counts)), counts, 0.8, color=_BLUE)
    deviation = report.trained_frequency_deviation or 0.0
    axes.set(
        xlabel="times trained on", ylabel="observations", title=f"Trained frequency (SD {deviation:.2f})"
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")


@dataclass(frozen=True, slots=True)
class _Bounds:
    share: float
    low: float
    high: float


def _bounds(measured: Accuracy) -> _Bounds:
    """Return a share with its interval; zeros where nothing was asked, which draws no bar."""
    interval = measured.interval()
    if interval is None or measured.share is None:
        return _Bounds(0.0, 0.0, 0.0)
    low, high = interval
    return _Bounds(measured.share, min(low, measured.share), max(high, measured.share))


def _plain(text: str) -> str:
    """Return a short label that matplotlib does not read as mathematics."""
    shown = " ".join(text.split())
    return (shown if len(shown) <= 18 else shown[:17] + "…").replace("$", r"\$")
