"""The figures of a report, drawn without a display. The same report gives the same bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from io import BytesIO
from itertools import accumulate
from typing import Literal, NamedTuple
from warnings import catch_warnings, filterwarnings

import matplotlib.style as mpl_style
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, PercentFormatter

from adastar_core.machine.units import flops_unit
from adastar_core.records import Accuracy
from adastar_core.report.records import RunReport

BLUE, GREY = "#2563eb", "#94a3b8"
_GREEN, _INK = "#059669", "#334155"
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


@dataclass(frozen=True)
class Figure:
    """A figure: SVG for pages, PNG at 150 dpi for everything else, each drawn once it is asked for.

    Attributes:
        name: It has no file ending.
        caption: What it shows.
        paint: Draws it on an empty canvas.
        size: The canvas's width and height in inches.
    """

    name: str
    caption: str
    paint: Callable[[Canvas], None]
    size: tuple[float, float] = (6.4, 3.6)

    @cached_property
    def svg(self) -> bytes:
        return self._drawn("svg", "figure", {"Date": None})  # no date: equal bytes every time

    @cached_property
    def png(self) -> bytes:
        return self._drawn("png", 150)

    def _drawn(
        self, kind: str, dpi: float | Literal["figure"], metadata: dict[str, None] | None = None
    ) -> bytes:
        with mpl_style.context(_STYLE), catch_warnings():
            filterwarnings("ignore", message="Glyph .* missing")  # a label in a script that the font lacks
            canvas, drawn = Canvas(figsize=self.size, layout="constrained"), BytesIO()
            self.paint(canvas)
            canvas.savefig(drawn, format=kind, dpi=dpi, metadata=metadata)
        return drawn.getvalue()


def figures(report: RunReport) -> tuple[Figure, ...]:
    """Return the figures of a report, those first that every run has."""
    caption = (
        "Validation accuracy by compute spent, with 95 % intervals; the ring marks the selected checkpoint."
    )
    drawn = [Figure("accuracy-by-compute", caption, partial(_accuracy_by_compute, report))]
    if report.by_difficulty:
        whose = "of the base model" if report.selects_base else "before and after training"
        caption = f"Accuracy by difficulty, {whose}, with 95 % intervals."
        drawn.append(Figure("accuracy-by-difficulty", caption, partial(_by_difficulty, report)))
    if sum(report.trained_frequency):
        caption = "How often each observation was trained on in the whole run; narrower is more even."
        drawn.append(Figure("trained-frequency", caption, partial(_trained_frequency, report)))
    return tuple(drawn)


def _accuracy_by_compute(report: RunReport, canvas: Canvas) -> None:
    axes = canvas.add_subplot()
    factor, unit = flops_unit(report.total_pflops)
    spent = [0.0, *accumulate(row.pflops * factor for row in report.iterations)]
    measured = [report.base_validation, *(row.validation for row in report.iterations)]
    known = {t: _bounds(accuracy) for t, accuracy in enumerate(measured) if accuracy and accuracy.total}
    cost = [spent[t] for t in known]
    low, high = [bounds.low for bounds in known.values()], [bounds.high for bounds in known.values()]
    axes.fill_between(cost, low, high, color=BLUE, alpha=0.15, lw=0)
    share = [bounds.share for bounds in known.values()]
    axes.plot(cost, share, color=BLUE, marker="o", markersize=4, clip_on=False, label="after each iteration")
    if report.base_validation.share is not None:
        axes.axhline(report.base_validation.share, color=GREY, linestyle="--", lw=1, label="base model")
    best = report.best_iteration
    if best in known:
        axes.scatter(
            spent[best],
            known[best].share,
            s=130,
            facecolors="none",
            edgecolors=_GREEN,
            linewidths=2,
            zorder=3,
            clip_on=False,
            label=f"selected: iteration {best}" if best else "selected: the base model",
        )
    axes.set(xlabel=f"compute ({unit}, without padding)", title="Validation accuracy by compute")
    axes.set_xlim(0, 1.05 * max([*cost, spent[-1]]) or 1.0)  # no work costs less than nothing
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="best")


def _by_difficulty(report: RunReport, canvas: Canvas) -> None:
    axes = canvas.add_subplot()
    rows = report.by_difficulty
    before, after = [_bounds(row.before) for row in rows], [_bounds(row.after) for row in rows]
    sides = ((-0.2, "before", GREY, before), (0.2, "after", BLUE, after))
    for offset, label, color, side in ((0.0, "base model", GREY, before),) if report.selects_base else sides:
        axes.bar(
            [place + offset for place in range(len(rows))],
            [bounds.share for bounds in side],
            0.38,
            color=color,
            label=label,
            yerr=[
                [bounds.share - bounds.low for bounds in side],
                [bounds.high - bounds.share for bounds in side],
            ],
            ecolor=_INK,
            capsize=2,
        )
    axes.set_xticks(range(len(rows)), [_short(row.difficulty) for row in rows])
    axes.set(xlabel="difficulty", title="Accuracy by difficulty", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(0.6, 1.0), ncols=2, borderaxespad=0.1)


def _trained_frequency(report: RunReport, canvas: Canvas) -> None:
    axes = canvas.add_subplot()
    axes.bar(range(len(report.trained_frequency)), report.trained_frequency, 0.8, color=BLUE)
    title = f"Trained frequency (SD {report.trained_frequency_deviation or 0.0:.2f})"
    axes.set(xlabel="times trained on", ylabel="observations", title=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(visible=False, axis="x")


class _Bounds(NamedTuple):
    share: float
    low: float
    high: float


def _bounds(measured: Accuracy) -> _Bounds:
    """Return a share with its interval; zeros, which draw no bar, where nothing was measured."""
    interval = measured.interval()
    if interval is None or measured.share is None:
        return _Bounds(0.0, 0.0, 0.0)
    low, high = interval
    return _Bounds(measured.share, min(low, measured.share), max(high, measured.share))


def _short(text: str) -> str:
    """Return a label of at most 18 characters that matplotlib does not read as mathematics."""
    shown = " ".join(text.split())
    return (shown if len(shown) <= 18 else shown[:17] + "…").replace("$", r"\$")
