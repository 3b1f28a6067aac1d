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
from adastar_core.machine.units import NONE, counted, flops, number, percent, percent_number
from adastar_core.machine.visible import visible
from adastar_core.report.beside import beside, tables
from adastar_core.report.calibration import HEADINGS, calibration_line, calibration_table
from adastar_core.report.records import DifficultySummary, RunReport
from adastar_core.store.samples import BASE_KINDS, KINDS, Given, Sample

_MARKUP = re.compile(r"([\\`*_{}\[\]#!|~$])")
_LONGEST_SHOWN = 1_200
_LESS_IMPORTANT = ("false pos. %", "surplus", "rej.", "stamped", "first try %", "m", "α", "β")
"""Columns that a narrow terminal goes without, in this order."""
_ADDRESS = re.compile(r"(?<=[a-z]):(?=//)|(?<=\bwww)\.|@", re.IGNORECASE)
"""Where an address is one: many readers of Markdown make links of bare ones."""
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
    """Return the headings of :func:`cost_cells`; operations are in the unit that fits the run's total."""
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


def table(report: RunReport, width: int = 80) -> Table:
    """Return the table per iteration for a terminal of so many columns; the selected iteration is green.

    Where it is too wide, whole columns are left out, the least important first: a number that is cut is a wrong one.
    """
    title = Text(f"{report.run}: {report.method} on {report.problem}")
    drawn = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    surplus = "sur-\nplus" if report.has_rejections else "surplus"
    names = [heading.replace(" ", "\n").replace("surplus", surplus) for heading in headings(report)]
    columns = _fitting([[name, *cell] for name, *cell in zip(names, *cells(report), strict=True)], width)
    for heading, *_ in columns:
        drawn.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    for t, row in enumerate(zip(*(column[1:] for column in columns), strict=True)):
        drawn.add_row(*row, style="bold green" if t == report.best_iteration else None)
    return drawn


def _fitting(columns: list[list[str]], width: int) -> list[list[str]]:
    """Return the columns without the least important ones, as many as must go."""
    for heading in _LESS_IMPORTANT:
        needed = sum(1 + max(len(line) for cell in column for line in cell.split("\n")) for column in columns)
        if needed - 1 <= width:
            break
        columns = [column for column in columns if column[0].replace("-\n", "").replace("\n", " ") != heading]
    return columns


def print_report(report: RunReport, places: Mapping[str, Path | str], console: Console) -> None:
    """Print the table, the result in one sentence, the notes, and the named places of files and database."""
    console.print()
    console.print(table(report, console.width))
    console.print(headline(report), highlight=False, soft_wrap=True)
    print_controls(report, console)
    if said := worst(report):
        console.print(Text(visible(said)), style="yellow", soft_wrap=True)
    for note in report.notes:
        console.print(f"Note: {note}", highlight=False, soft_wrap=True, markup=False)
    print_places(places, console)


def print_controls(report: RunReport, console: Console) -> None:
    """Print what the headline's accuracy is compared with, and every warning about it."""
    for line in controls_lines(report):
        style = "bold yellow" if line.startswith("WARNING") else None
        console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def controls_lines(report: RunReport) -> tuple[str, ...]:
    """Return what stands beside the headline's accuracy, and every warning about it, a line each."""
    said = beside(report.base_controls, report.controls, report.as_sampled)
    return (*([said] if said else []), *report.warnings)


def print_places(places: Mapping[str, Path | str], console: Console) -> None:
    """Print where things lie, a line each, names in a column."""
    console.print()
    width = max(map(len, places))
    for name, place in places.items():
        console.print(f"{name:{width}}  {place}", highlight=False, soft_wrap=True, markup=False)


def headline(report: RunReport) -> str:
    """Return the result in one sentence: accuracy before and after, which checkpoint, and what it cost."""
    split, before, after = "validation", report.base_validation, report.selected_validation
    if report.test is not None and report.base_test is not None:
        split, before, after = "test", report.base_test, report.test
    count = f" of {after.total:,} questions" if after and after.total else ""
    cost = f"for {flops(report.total_pflops)} and {units.wall_time(report.wall_seconds)}"
    if report.selects_base:
        tried = len(report.iterations)
        which = f"which validation selected over {counted(tried, 'trained checkpoint')}"
        which = which if tried else "which nothing was trained on yet"
        return f"{split.capitalize()} accuracy {units.accuracy(before)}{count}: that of the base model, {which}, {cost}."
    return (
        f"{split.capitalize()} accuracy {units.accuracy(before)} → {units.accuracy(after)}{count}, "
        f"{units.points(before, after)} points (validation selected iteration {report.best_iteration}), {cost}."
    )


def worst(report: RunReport) -> str | None:
    """Return the worst that the report has to tell, in a sentence: a failure, or what got worse; ``None`` if nothing did."""
    if report.ending is not None:
        return f"The run {report.ending}"
    rows = [row for row in report.by_difficulty if row.after < row.before]
    if rows:
        row = min(rows, key=lambda row: (row.after.share or 0.0) - (row.before.share or 0.0))
        share = f"{units.percent(row.before.share)} → {units.percent(row.after.share)}"
        return f"Difficulty {row.difficulty} got worse: {share} of {row.after.total:,} questions{_by_chance(row)}."
    counts = {group.kind: group.total for group in report.samples}
    if lost := counts.get("lost", 0):
        return (
            f"{lost:,} of {sum(counts.values()):,} questions that were right before training are not any more, and "
            f"{counts.get('gained', 0):,} are right that were not."
        )
    return None


def _by_chance(row: DifficultySummary) -> str:
    """Return whether the two intervals have anything in common, as the end of a sentence."""
    before, after = row.before.interval(), row.after.interval()
    return ", which may be chance" if before and after and before[0] <= after[1] else ""


def what_shares_are_of(report: RunReport) -> str:
    """Return the questions or attempts behind each share of the table per iteration."""
    checked = " False pos. is the share of accepted rationales with a wrong step, where steps can be checked."
    return (
        f"Valid. is the share of {report.base_validation.total:,} validation questions, first try that of the m visited "
        f"observations.{checked if any(row.false_positive_share is not None for row in report.iterations) else ''}"
    )


def facts(report: RunReport) -> tuple[tuple[str, str], ...]:
    """Return what a run is and what it cost, each with its name."""
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
        *_certain(report),
        ("selected checkpoint", report.checkpoint),
    )


def _certain(report: RunReport) -> tuple[tuple[str, str], ...]:
    """Return how much of training went to what the model was near-certain of, if that is recorded."""
    if report.certain_training_share is None or report.certain_pflops is None:
        return ()
    spent = f"{percent(report.certain_training_share)} of its compute, {flops(report.certain_pflops)}"
    return (("training on near-certain rationales", f"{spent}; {report.certain_left_out:,} left out"),)


def difficulty_headings(report: RunReport) -> tuple[str, ...]:
    """Return the headings of :func:`difficulty_cells`."""
    measured = ("base model",) if report.selects_base else ("before", "after", "points")
    return ("difficulty", "questions", *measured)


def difficulty_cells(report: RunReport) -> list[tuple[str, ...]]:
    """Return a row per difficulty: its name, how many questions it has, accuracy before and after, and the difference in points."""
    table = []
    for row in report.by_difficulty:
        after = (
            () if report.selects_base else (units.accuracy(row.after), units.points(row.before, row.after))
        )
        table.append((row.difficulty, f"{row.after.total:,}", units.accuracy(row.before), *after))
    return table


def sample_title(report: RunReport, kind: str) -> str:
    """Return the title of a kind of shown questions, which depends on whether the base model was selected."""
    return (BASE_KINDS if report.selects_base else KINDS)[kind]


def answers(report: RunReport, sample: Sample) -> tuple[tuple[str, Given], ...]:
    """Return the answers to a sampled question that differ by who gave them, each with its name."""
    if report.selects_base:
        return (("base model", sample.before),)
    return (("before", sample.before), ("after", sample.after))


def markdown(report: RunReport) -> str:
    """Return the whole report as Markdown; names and texts from outside are escaped."""
    lines = [f"# {escape(report.run)}", "", escape(headline(report)), ""]
    for said in controls_lines(report):
        shown_as = f"**{escape(said)}**" if said.startswith("WARNING") else escape(said)
        lines += [shown_as, ""]
    lines += [f"**{escape(least)}**", ""] if (least := worst(report)) else []
    lines += markdown_table(headings(report), cells(report), labels=0)
    lines += ["", escape(what_shares_are_of(report))]
    if report.by_difficulty:
        difficulties = [(escape(name), *numbers) for name, *numbers in difficulty_cells(report)]
        lines += ["", *markdown_table(difficulty_headings(report), difficulties)]
    for title, (heads, rows) in tables(report):
        escaped = [tuple(map(escape, row)) for row in rows]
        lines += ["", f"**{title}**", "", *markdown_table(tuple(map(escape, heads)), escaped)]
    if report.calibration:
        lines += ["", "**Calibration**", "", calibration_line(report.calibration), ""]
        lines += markdown_table(HEADINGS, calibration_table(report.calibration))
    if report.stages:
        lines += ["", *markdown_table(cost_headings(report), cost_cells(report))]
    lines += _markdown_samples(report)
    lines += ["", *(f"* {name}: {escape(value)}" for name, value in facts(report))]
    lines += ["", *(f"> {escape(note)}\n" for note in report.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_samples(report: RunReport) -> list[str]:
    lines = []
    for group in report.samples:
        lines += ["", f"**{sample_title(report, group.kind)}** ({group.total:,} questions)"]
        for sample in group.samples:
            lines += ["", f"* {escape(sample.question)} (reference: {escape(sample.reference)})"]
            given = answers(report, sample)
            lines += [f"  * {name}, {verdict(answer)}: {escape(shown(answer))}" for name, answer in given]
    return lines


def verdict(given: Given) -> str:
    """Return what was made of an answer: ``wrong (46)``; the answer is escaped for Markdown."""
    return given.outcome if given.extracted is None else f"{given.outcome} ({escape(given.extracted)})"


def shown(given: Given) -> str:
    """Return a response, or the end of a long one, which has its answer."""
    long = len(given.response) > _LONGEST_SHOWN
    return f"… {given.response[-_LONGEST_SHOWN:]}" if long else given.response


def escape(text: str) -> str:
    """Return Markdown that shows ``text`` literally, on one line: no markup, no HTML, no links."""
    flat = " ".join(visible(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINE_START.sub(r"\1\\\2", _ADDRESS.sub(r"\\\g<0>", _MARKUP.sub(r"\\\1", flat)))


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1) -> list[str]:
    """Return a table's lines. The first ``labels`` columns are text, the others numbers. Cells must be escaped."""
    alignment = ["---"] * labels + ["---:"] * (len(heads) - labels)
    return ["| " + " | ".join(values) + " |" for values in (heads, alignment, *rows)]
