"""The report as text: a table for the terminal and Markdown for artifacts."""

import re
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from adastar_core.machine.units import (
    NONE,
    accuracy,
    flops,
    flops_unit,
    number,
    percent_number,
    points,
    wall_time,
)
from adastar_core.report.costs import cost_cells, cost_headings
from adastar_core.report.records import IterationRow, RunReport

_MARKUP = re.compile(r"([\\`*_{}\[\]#!|~$])")
_LINE_START = re.compile(r"^(\d*)([-+.)=])")


def headings(report: RunReport) -> tuple[str, ...]:
    """Return the headings of the table per iteration; the run's total decides the unit of compute.

    Rationales that the filter rejected have a column where there are any.
    """
    rejected = ("rej.",) if report.has_rejections else ()
    counts = ("t", "β", "m", "accepted", *rejected, "surplus", "α", "stamped")
    return (*counts, "first try %", "false pos. %", "valid. %", flops_unit(report.total_pflops)[1], "time")


def cells(report: RunReport) -> list[tuple[str, ...]]:
    """Return the rows of the table per iteration: the base model as t = 0, then the iterations."""
    factor, _ = flops_unit(report.total_pflops)
    unknown = [NONE] * (len(headings(report)) - 4)
    base = ("0", *unknown, percent_number(report.base_validation.share), NONE, NONE)
    return [base, *(_cells(row, factor, report) for row in report.iterations)]


def _cells(row: IterationRow, flops_factor: float, report: RunReport) -> tuple[str, ...]:
    return (
        str(row.t),
        f"{row.beta:,}",
        f"{row.m:,}",
        f"{row.accepted:,}",
        *([f"{row.rejected:,}"] if report.has_rejections else []),
        f"{row.surplus:,}",
        f"{row.alpha:.3f}",
        f"{row.stamped:,}",
        percent_number(row.first_try_accuracy),
        percent_number(row.false_positive_share),
        percent_number(row.validation.share if row.validation else None),
        number(row.pflops * flops_factor),
        f"{row.seconds:.1f} s" if row.seconds < 100 else f"{row.seconds:,.0f} s",
    )


def table(report: RunReport) -> Table:
    """Return the table per iteration for a terminal of 80 columns; the selected iteration stands out."""
    title = Text(f"{report.run}: {report.method} on {report.problem}")
    drawn = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    surplus = "sur-\nplus" if report.has_rejections else "surplus"
    for heading in headings(report):
        shown = heading.replace(" ", "\n").replace("surplus", surplus)
        drawn.add_column(shown, justify="right", vertical="bottom", no_wrap=True)
    for t, row in enumerate(cells(report)):
        drawn.add_row(*row, style="bold green" if t == report.best_iteration else None)
    return drawn


def headline(report: RunReport) -> str:
    """Return the run's result in one sentence."""
    split, before, after = "validation", report.base_validation, report.selected_validation
    if report.test is not None and report.base_test is not None:
        split, before, after = "test", report.base_test, report.test
    chosen = f"iteration {report.best_iteration}" if report.best_iteration else "the base model itself"
    return (
        f"{split.capitalize()} accuracy {accuracy(before)} → {accuracy(after)}, {points(before, after)} points "
        f"(validation selected {chosen}), for {flops(report.total_pflops)} and {wall_time(report.wall_seconds)}."
    )


def facts(report: RunReport) -> tuple[tuple[str, str], ...]:
    """Return what the run was, as names and values. A deployed run comes from no preset."""
    preset = (("preset", report.preset),) if report.preset else ()
    return (
        ("problem", report.problem),
        ("method", report.method),
        ("base model", report.base_model),
        ("seed", str(report.seed)),
        *preset,
        ("configuration", report.config_sha256[:16]),
        ("compute, without padding", flops(report.total_pflops)),
        ("compute, with padding", flops(report.total_padded_pflops)),
        ("attention's own products, in neither", flops(report.total_attention_pflops)),
        ("selected checkpoint", report.checkpoint),
    )


def markdown(report: RunReport) -> str:
    """Return the whole report as Markdown; names and texts from outside are escaped."""
    lines = [f"# {escape(report.run)}", "", escape(headline(report)), ""]
    lines += markdown_table(headings(report), cells(report), labels=0)
    if report.by_difficulty:
        difficulties = [
            (escape(row.difficulty), accuracy(row.before), accuracy(row.after), points(row.before, row.after))
            for row in report.by_difficulty
        ]
        lines += ["", *markdown_table(("difficulty", "before", "after", "points"), difficulties)]
    if report.stages:
        lines += ["", *markdown_table(cost_headings(report), cost_cells(report))]
    lines += ["", *(f"* {name}: {escape(value)}" for name, value in facts(report))]
    lines += ["", *(f"> {escape(note)}\n" for note in report.notes)]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Return ``text`` as Markdown that shows exactly it, on one line: no markup, no HTML."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINE_START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", flat))


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1) -> list[str]:
    """Return a table's lines; all but the first ``labels`` columns are numbers. Texts must be escaped."""
    alignment = ["---"] * labels + ["---:"] * (len(heads) - labels)
    return [_row(heads), _row(alignment), *map(_row, rows)]


def _row(values: Sequence[str]) -> str:
    return "| " + " | ".join(values) + " |"
