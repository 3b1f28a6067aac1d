"""A comparison as Markdown, LaTeX, and CSV with unrounded numbers."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict

from adastar_core.comparison.intervals import SAME, Estimate, PairedDifference
from adastar_core.comparison.leader import leader
from adastar_core.comparison.member import Point
from adastar_core.comparison.rung_text import HEADINGS, WHAT_RUNGS_SAY, dropped_after
from adastar_core.comparison.rung_text import cells as rung_cells
from adastar_core.comparison.table import Comparison
from adastar_core.machine.units import NONE, number, percent_number
from adastar_core.report.text import escape, markdown_table

_LATEX = str.maketrans(
    {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "–": "--", "−": "$-$", "↓": r"$\downarrow$",
     "±": r"$\pm$", "α": r"$\alpha$", "²": "$^2$", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$",
     "<": r"$<$"}
)  # fmt: skip

_PARTS = {
    "difference": ("mean", "low", "high", "p"),
    "equal_difference": ("mean", "low", "high", "p"),
    "ratio": ("mean", "low", "high"),
}
"""The numbers of what a row may lack."""

_MANY = 4
"""From more tied methods than this, the headline gives their number, not their titles."""


def headings(comparison: Comparison) -> tuple[str, ...]:
    """Return the columns of the table; compute is in the comparison's own unit."""
    factor, unit = comparison.unit
    return (
        "method", "seeds", "test accuracy %", "− AdaSTaR", "p", "p Holm", "iteration", unit, f"padded {unit}",
        f"attention {unit}", f"{unit} to the best baseline", "↓ %", "× to AdaSTaR",
        f"accuracy % at {number(comparison.equal_pflops * factor)} {unit}",
        "− AdaSTaR there", "p there", "SD trained", "false pos. %",
    )  # fmt: skip


def cells(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return a row per method, as text in the order of :func:`headings`. Dropped ones come last, without figures."""
    factor, _ = comparison.unit
    not_reached = "not reached" if comparison.best_baseline else NONE
    without = (NONE,) * (len(headings(comparison)) - 2)
    dropped = [
        (f"{comparison.title_of(name)} ({dropped_after(verdict)})", str(len(verdict.seeds)), *without)
        for name, verdict in comparison.dropped.items()
    ]
    compared = [
        (
            comparison.title_of(row.method),
            str(row.seeds),
            _interval(row.accuracy),
            _points(row.difference),
            _p(row.difference.p if row.difference else None),
            _p(row.corrected_p),
            f"{row.iteration:.1f}",
            number(row.pflops * factor),
            number(row.padded_pflops * factor),
            number(row.attention_pflops * factor),
            not_reached if row.reached is None else number(row.reached * factor),
            NONE if row.saving is None else f"{100 * row.saving:.0f}",
            _ratio(row.ratio),
            _interval(row.equal_compute),
            _points(row.equal_difference),
            _p(row.equal_difference.p if row.equal_difference else None),
            NONE if row.frequency_deviation is None else f"{row.frequency_deviation:.2f}",
            percent_number(row.false_positive_share),
        )
        for row in comparison.rows
    ]
    return [*compared, *dropped]


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return percent_number(found.mean)
    return f"{percent_number(found.mean)} ({percent_number(found.low)}–{percent_number(found.high)})"


def _ratio(found: Estimate | None) -> str:
    if found is None:
        return NONE
    if found.low is None or found.high is None:
        return f"{found.mean:.2f}"
    return f"{found.mean:.2f} ({found.low:.2f}–{found.high:.2f})"


def _points(found: PairedDifference | None) -> str:
    if found is None:
        return NONE
    mean = f"{100 * found.mean:+.1f}"
    if found.low is None or found.high is None:
        return mean
    return f"{mean} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def _p(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def notes(comparison: Comparison) -> tuple[str, ...]:
    """Return what a reader has to know beside the table."""
    lines = [
        "PAPER'S PROTOCOL: the checkpoint with the best test accuracy is selected. This favours methods with more "
        "checkpoints and noisier curves."
        if comparison.select_on == "test"
        else "Validation selects the checkpoint. Accuracy is on test, which selects nothing.",
        "Intervals are 95 % Student's t over seeds; those of differences pair runs with the same seed. There is none for one seed "
        "or for seeds that all agree. They hold for this test set and do not include the error of sampling it.",
        f"The base model has {percent_number(comparison.base)} % before training. Compute is 6 P per trained token (with LoRA "
        "4 P + 6 A) and 2 P per read or generated token, up to the selected checkpoint and without evaluation.",
        "p is two-sided, from the same paired t-test as the interval next to it. It is below 0.05 exactly when the interval excludes "
        "zero. Holm's p is corrected for all methods of this table; intervals and the p at equal compute are not.",
        "SD trained is the standard deviation of how often an observation was trained on in the whole run.",
    ]
    if comparison.best_baseline:
        lines.append(
            f"The baseline with the highest mean is {comparison.title_of(comparison.best_baseline)}. ↓ is the share of its compute that a "
            "method saves to reach that mean; it is computed on the mean over seeds and has no interval."
        )
    if any(row.ratio for row in comparison.rows):
        lines.append(
            "× to AdaSTaR is the compute at which a method first has AdaSTaR's mean accuracy, over AdaSTaR's own: Student's t on the "
            "logarithms, paired by seed. A run of AdaSTaR that stays below its mean counts with all that it spent. A method has no "
            "figure if one of its runs stays below."
        )
    kept_base = [
        f"{comparison.title_of(row.method)} in {row.base_chosen} of {row.seeds} runs"
        for row in comparison.rows
        if row.base_chosen
    ]
    if kept_base:
        lines.append(
            f"No checkpoint was better than the base model on {comparison.select_on}, so the base model was selected: "
            f"{', '.join(kept_base)}."
        )
    if comparison.dropped:
        lines.append(
            "A dropped method was behind on validation beyond chance before it had spent the budget. It is in no test, correction or "
            "mean of this table, because its accuracy is not that of the whole budget."
        )
    if min(row.seeds for row in comparison.rows) < 3:
        lines.append("Fewer than three seeds are too few for a conclusion.")
    return tuple(lines)


def markdown(comparison: Comparison) -> str:
    """Return the comparison as Markdown. What others may have written is escaped."""
    rows = [(escape(method), *numbers) for method, *numbers in cells(comparison)]
    lines = [f"# {escape(comparison.title)}", "", *markdown_table(headings(comparison), rows), ""]
    lines += [*(f"* {escape(note)}" for note in notes(comparison)), ""]
    if comparison.decisions:
        rungs = markdown_table(HEADINGS, rung_cells(comparison.decisions))
        lines += ["## Rungs", "", *rungs, "", WHAT_RUNGS_SAY, ""]
    lines += [f"* {escape(name)}: `{value}`" for name, value in comparison.facts]
    return "\n".join(lines) + "\n"


def latex(comparison: Comparison) -> str:
    """Return the table as a LaTeX tabular (package booktabs), with the notes as comments."""
    head, *rows = (
        " & ".join(cell.translate(_LATEX) for cell in row) + r" \\"
        for row in (headings(comparison), *cells(comparison))
    )
    lines = [
        *(f"% {note}" for note in notes(comparison)),
        rf"\begin{{tabular}}{{l{'r' * (len(headings(comparison)) - 1)}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def table_csv(comparison: Comparison) -> str:
    """Return one line per method with unrounded numbers; costs in PFLOPs. Dropped methods have no figures."""
    rows: list[dict[str, object]] = []
    for row in comparison.rows:
        flat: dict[str, object] = {}
        for key, value in asdict(row).items():
            if key in _PARTS and value is None:
                value = dict.fromkeys(_PARTS[key])
            # An estimate or a difference becomes a column per part, e.g. accuracy_mean.
            flat |= (
                {f"{key}_{part}": number for part, number in value.items()}
                if isinstance(value, dict)
                else {key: value}
            )
        rows.append(flat | {"select_on": comparison.select_on})
    if comparison.dropped:
        rows = [row | {"dropped_after_pflops": None} for row in rows]
        for name, verdict in comparison.dropped.items():
            known = {"method": name, "seeds": len(verdict.seeds), "dropped_after_pflops": verdict.pflops}
            rows.append(dict.fromkeys(rows[0]) | known)
    return _csv(rows)


def runs_csv(comparison: Comparison) -> str:
    """Return one line per run and iteration; iteration 0 is the base model. Costs are in PFLOPs and cumulative."""
    return _csv(
        [
            {"method": member.method, "seed": member.seed, **_figures(point)}
            for member in (*comparison.members, *comparison.given_up)
            for point in member.points
        ]
    )


def _figures(point: Point) -> dict[str, object]:
    return {name: value for name, value in asdict(point).items() if name != "right"}


def _csv(rows: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def headline(comparison: Comparison) -> str:
    """Return the result in one or two sentences: the winner if there is one, and whether training helped."""
    found = leader(comparison)
    best = next(row for row in comparison.rows if row.method == found.method)
    tied = [row for row in comparison.rows if row.method in found.tied]
    title, accuracy = comparison.title_of(best.method), _interval(best.accuracy)
    others = (
        f"{len(tied)} others"
        if len(tied) > _MANY
        else ", ".join(comparison.title_of(row.method) for row in tied)
    )
    if len(comparison.rows) == 1:
        left = " and is the only method that was not dropped" if comparison.dropped else ""
        result = f"{title} has {accuracy} %{left}."
    elif not tied:
        result = f"{title} is the most accurate with {accuracy} %."
    elif all(abs(row.accuracy.mean - best.accuracy.mean) < SAME for row in tied):
        result = f"No winner: {title} is tied with {others} at {percent_number(best.accuracy.mean)} %."
    else:
        why = "no significant difference in paired t-tests over seeds, corrected by Holm for all pairs"
        if max(row.seeds for row in comparison.rows) < 2:
            why = "one seed cannot show a difference"
        result = f"No winner: {title} has the highest mean, {accuracy} %, and is tied with {others} ({why})."
    if all(row.base_chosen == row.seeds for row in comparison.rows):
        return f"{result} Every run selected the base model: training did not help."
    if found.helped is False:
        base = percent_number(comparison.base)
        return f"{result} {title} is not significantly better than the base model ({base} %)."
    return result
