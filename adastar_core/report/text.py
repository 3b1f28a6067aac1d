"""The report as text: tables for the terminal, and Markdown."""

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adastar_core.compute import StageTokens
from adastar_core.machine import units
from adastar_core.machine.units import NONE, flops, number, percent_number
from adastar_core.report.records import RunReport

_MARKUP = re.compile(r"([\\`*_{}\[\]#!|~$])")
_LINE_START = re.compile(r"^(\d*)([-+.)=])")


def headings(report: RunReport) -> tuple[str, ...]:
    """Return the headings of the table per iteration. There is a column of rejections only if there are any."""
    rejected = ("rej.",) if report.has_rejections else ()
    counts = ("t", "β", "m", "accepted", *rejected, "surplus", "α", "stamped")
    return (
        *counts,
        "first try %",
        "false pos. %",
        "valid. %",
        units.flops_unit(report.total_pflops)[1],
        "time",
    )


def cells(report: RunReport) -> list[tuple[str, ...]]:
    """Return the rows of the table per iteration; the first, t = 0, is the base model."""
    factor, _ = units.flops_unit(report.total_pflops)
    unknown = [NONE] * (len(headings(report)) - 4)
    base = ("0", *unknown, percent_number(report.base_validation.share), NONE, NONE)
    iterations = [
        (
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
            number(row.pflops * factor),
            f"{row.seconds:.1f} s" if row.seconds < 100 else f"{row.seconds:,.0f} s",
        )
        for row in report.iterations
    ]
    return [base, *iterations]


def cost_headings(report: RunReport) -> tuple[str, ...]:
    unit = units.flops_unit(report.total_pflops)[1]
    return ("stage", "read", "generated", "trained", unit, f"padded {unit}", f"attention {unit}", "time")


def cost_cells(report: RunReport) -> list[tuple[str, ...]]:
    """Return a row per stage, summed over the iterations. Evaluation comes last: totals do not include it."""
    factor, _ = units.flops_unit(report.total_pflops)
    stages = dict.fromkeys(row.stage for row in report.stages)
    table = []
    for stage in sorted(stages, key=lambda stage: stage.startswith("evaluate")):
        rows = [row for row in report.stages if row.stage == stage]
        tokens = reduce(add, (row.tokens for row in rows), StageTokens())
        counts = (tokens.prompt_tokens, tokens.generated_tokens, tokens.train_tokens)
        costs = [
            sum(row.pflops for row in rows),
            sum(row.padded_pflops for row in rows),
            sum(row.attention_pflops for row in rows),
        ]
        time = units.duration(sum(row.seconds for row in rows))
        table.append(
            (stage, *(f"{count:,}" for count in counts), *(number(factor * cost) for cost in costs), time)
        )
    return table


def table(report: RunReport) -> Table:
    """Return the table per iteration for a terminal of 80 columns; the selected iteration is green."""
    title = Text(f"{report.run}: {report.method} on {report.problem}")
    drawn = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    surplus = "sur-\nplus" if report.has_rejections else "surplus"
    for heading in headings(report):
        shown = heading.replace(" ", "\n").replace("surplus", surplus)
        drawn.add_column(shown, justify="right", vertical="bottom", no_wrap=True)
    for t, row in enumerate(cells(report)):
        drawn.add_row(*row, style="bold green" if t == report.best_iteration else None)
    return drawn


def print_report(report: RunReport, places: Mapping[str, Path | str], console: Console) -> None:
    """Print the table, the result in one sentence, the notes, and the named places of files and database."""
    console.print()
    console.print(table(report))
    console.print(headline(report), highlight=False, soft_wrap=True)
    for note in report.notes:
        console.print(f"Note: {note}", highlight=False, soft_wrap=True, markup=False)
    print_places(places, console)


def print_places(places: Mapping[str, Path | str], console: Console) -> None:
    console.print()
    width = max(map(len, places))
    for name, place in places.items():
        console.print(f"{name:{width}}  {place}", highlight=False, soft_wrap=True, markup=False)


def headline(report: RunReport) -> str:
    split, before, after = "validation", report.base_validation, report.selected_validation
    if report.test is not None and report.base_test is not None:
        split, before, after = "test", report.base_test, report.test
    selected = f"iteration {report.best_iteration}" if report.best_iteration else "the base model"
    return (
        f"{split.capitalize()} accuracy {units.accuracy(before)} → {units.accuracy(after)}, "
        f"{units.points(before, after)} points (validation selected {selected}), "
        f"for {flops(report.total_pflops)} and {units.wall_time(report.wall_seconds)}."
    )


def facts(report: RunReport) -> tuple[tuple[str, str], ...]:
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
        ("attention products, in neither", flops(report.total_attention_pflops)),
        ("selected checkpoint", report.checkpoint),
    )


def difficulty_cells(report: RunReport) -> list[tuple[str, ...]]:
    """Return a row per difficulty: its name, accuracy before and after, and the difference in points."""
    return [
        (
            row.difficulty,
            units.accuracy(row.before),
            units.accuracy(row.after),
            units.points(row.before, row.after),
        )
        for row in report.by_difficulty
    ]


DIFFICULTY_HEADINGS = ("difficulty", "before", "after", "points")


def markdown(report: RunReport) -> str:
    """Return the whole report as Markdown; names and texts from outside are escaped."""
    lines = [f"# {escape(report.run)}", "", escape(headline(report)), ""]
    lines += markdown_table(headings(report), cells(report), labels=0)
    if report.by_difficulty:
        difficulties = [(escape(name), *numbers) for name, *numbers in difficulty_cells(report)]
        lines += ["", *markdown_table(DIFFICULTY_HEADINGS, difficulties)]
    if report.stages:
        lines += ["", *markdown_table(cost_headings(report), cost_cells(report))]
    lines += ["", *(f"* {name}: {escape(value)}" for name, value in facts(report))]
    lines += ["", *(f"> {escape(note)}\n" for note in report.notes)]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Return Markdown that shows ``text`` literally, on one line: no markup, no HTML."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINE_START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", flat))


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1) -> list[str]:
    """Return a table's lines. The first ``labels`` columns are text, the others numbers. Cells must be escaped."""
    alignment = ["---"] * labels + ["---:"] * (len(heads) - labels)
    return ["| " + " | ".join(values) + " |" for values in (heads, alignment, *rows)]
