"""The curves of a run that is at work: what each iteration accepted, and what it reached."""

from functools import partial

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator, PercentFormatter

from adastar_core.report.figures import BLUE, GREY, Figure
from adastar_core.report.records import RunReport


def curves(report: RunReport) -> Figure:
    """Return accuracy and acceptance by iteration; iteration 0 is the base model."""
    caption = "Validation accuracy, right at first try, and strength (alpha), by iteration."
    return Figure("curves", caption, partial(_paint, report))


def _paint(report: RunReport, canvas: Canvas) -> None:
    axes = canvas.add_subplot()
    rows = report.iterations
    measured = [(0, report.base_validation), *((row.t, row.validation) for row in rows)]
    known = {t: accuracy.share for t, accuracy in measured if accuracy and accuracy.share is not None}
    axes.plot(list(known), list(known.values()), color=BLUE, marker="o", label="validation accuracy")
    first = {row.t: row.first_try_accuracy for row in rows if row.first_try_accuracy is not None}
    axes.plot(list(first), list(first.values()), color=GREY, marker="o", label="right at first try")
    alpha = [row.alpha for row in rows]
    axes.plot([row.t for row in rows], alpha, color=GREY, linestyle="--", label="alpha")
    axes.set(xlabel="iteration", title=f"After {len(rows)} iterations")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(loc="best")
