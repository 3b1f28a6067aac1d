"""A comparison as text: Markdown, LaTeX, and CSV files with unrounded numbers."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict

from adastar_core.comparison.intervals import SAME, Estimate, PairedDifference
from adastar_core.comparison.leader import Leader, leader
from adastar_core.comparison.table import Comparison, MethodRow
from adastar_core.config.methods import METHODS
from adastar_core.machine.units import NONE, flops_unit, number, percent_number
from adastar_core.report.text import escape, markdown_table

_LATEX = str.maketrans(
    {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "–": "--", "−": "$-$", "↓": r"$\downarrow$",
     "±": r"$\pm$", "α": r"$\alpha$", "²": "$^2$", "⌊": r"$\lfloor$", "⌋": r"$\rfloor$",
     "<": r"$<$"}
)  # fmt: skip

_MANY = 4


def headings(comparison: Comparison) -> tuple[str, ...]:
    """Return the table's headings; the largest cost decides the unit."""
    unit = _unit(comparison)[1]
    equal = number(comparison.equal_pflops * _unit(comparison)[0])
    return (
        "method", "seeds", "test accuracy %", "− AdaSTaR", "p", "p Holm", "iteration", unit, f"padded {unit}",
        f"attention {unit}", f"{unit} to the best baseline", "↓ %", f"accuracy % at {equal} {unit}",
        "− AdaSTaR there", "p there", "SD trained", "false pos. %",
    )  # fmt: skip


def cells(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the table's rows as text."""
    factor = _unit(comparison)[0]
    return [_cells(row, factor, comparison) for row in comparison.rows]


def _unit(comparison: Comparison) -> tuple[float, str]:
    return flops_unit(max(member.pflops for member in comparison.members))


def _cells(row: MethodRow, factor: float, comparison: Comparison) -> tuple[str, ...]:
    reached = NONE if row.reached is None else number(row.reached * factor)
    if row.reached is None and comparison.best_baseline:
        reached = "not reached"
    return (
        METHODS[row.method].title,
        str(row.seeds),
        _interval(row.accuracy),
        _points(row.difference),
        _p(row.difference.p if row.difference else None),
        _p(row.corrected_p),
        f"{row.iteration:.1f}",
        number(row.pflops * factor),
        number(row.padded_pflops * factor),
        number(row.attention_pflops * factor),
        reached,
        NONE if row.saving is None else f"{100 * row.saving:.0f}",
        _interval(row.equal_compute),
        _points(row.equal_difference),
        _p(row.equal_difference.p if row.equal_difference else None),
        NONE if row.frequency_deviation is None else f"{row.frequency_deviation:.2f}",
        percent_number(row.false_positive_share),
    )


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return percent_number(found.mean)
    return f"{percent_number(found.mean)} ({percent_number(found.low)}–{percent_number(found.high)})"


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
    """Return what a reader must know to read the table, one sentence each."""
    if comparison.select_on == "test":
        selection = (
            "PAPER'S PROTOCOL: the checkpoint is the best one on the test questions themselves, which favours "
            "methods with more checkpoints and noisier curves."
        )
    else:
        selection = "Validation selects the checkpoint; accuracy is on test, which selects nothing."
    told = [
        selection,
        "Intervals are 95 % Student's t over seeds, of differences over pairs with the same seed; one seed has none, nor have "
        "seeds that all agree. They hold for this test set, and do not include the error of drawing it.",
        f"Without training, the base model has {percent_number(comparison.base)} %. Compute is 6 P per trained token (with "
        "LoRA 4 P + 6 A) and 2 P per read or generated token up to the selected checkpoint; evaluation is not in it.",
        "p is two-sided, from the same paired t as the interval beside it: below 0.05 where that excludes zero. Holm's p corrects "
        "it for all methods of this table; intervals and the p at equal compute are not corrected.",
        "SD trained is over the whole run: the standard deviation of how often an observation was trained on.",
    ]
    if comparison.best_baseline:
        told.append(
            f"The baseline with the highest mean is {METHODS[comparison.best_baseline].title}; ↓ is what is saved on the way to "
            "that mean, by the mean over seeds, and has no interval."
        )
    told += _kept_base(comparison)
    if min(row.seeds for row in comparison.rows) < 3:
        told.append("Fewer than three seeds settle nothing.")
    return tuple(told)


def _kept_base(comparison: Comparison) -> list[str]:
    """Return the sentence on runs that training did not help; none where it helped everywhere."""
    found = [
        f"{METHODS[row.method].title} in {row.base_chosen} of {row.seeds} runs"
        for row in comparison.rows
        if row.base_chosen
    ]
    chosen = f"The base model itself was selected, no checkpoint being better on {comparison.select_on}: "
    return [f"{chosen}{', '.join(found)}."] if found else []


def markdown(comparison: Comparison) -> str:
    """Return title, table, notes and facts as Markdown."""
    rows = [(escape(method), *numbers) for method, *numbers in cells(comparison)]
    lines = [f"# {escape(comparison.title)}", "", *markdown_table(headings(comparison), rows), ""]
    lines += [*(f"* {escape(note)}" for note in notes(comparison)), ""]
    lines += [f"* {escape(name)}: `{value}`" for name, value in comparison.facts]
    return "\n".join(lines) + "\n"


def latex(comparison: Comparison) -> str:
    """Return the table as a LaTeX tabular (package booktabs)."""
    head = headings(comparison)
    rows = [" & ".join(cell.translate(_LATEX) for cell in row) + r" \\" for row in cells(comparison)]
    body = "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            " & ".join(name.translate(_LATEX) for name in head) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
    told = "".join(f"% {note}\n" for note in notes(comparison))
    return f"{told}{body}\n"


def table_csv(comparison: Comparison) -> str:
    """Return one line per method with unrounded numbers; costs in PFLOPs."""
    return _csv([_flat(asdict(row)) | {"select_on": comparison.select_on} for row in comparison.rows])


def runs_csv(comparison: Comparison) -> str:
    """Return one line per run and iteration, iteration 0 being the base model; costs in PFLOPs, cumulative."""
    return _csv(
        [
            {"method": member.method, "seed": member.seed, **asdict(point)}
            for member in comparison.members
            for point in member.points
        ]
    )


def _flat(values: dict[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        if key in ("difference", "equal_difference") and value is None:
            value = dict.fromkeys(("mean", "low", "high", "p"))
        flat |= (
            {f"{key}_{name}": part for name, part in value.items()}
            if isinstance(value, dict)
            else {key: value}
        )
    return flat


def _csv(rows: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def headline(comparison: Comparison) -> str:
    """Return the result in one sentence or two: the winner where there is one, and whether training helped at all."""
    found = leader(comparison)
    said = _standing(comparison, found)
    if all(row.base_chosen == row.seeds for row in comparison.rows):
        return f"{said} Every run selected the base model itself: training helped nowhere."
    if found.helped is False:
        return f"{said} {METHODS[found.method].title} is not told from the base model ({percent_number(comparison.base)} %)."
    return said


def _standing(comparison: Comparison, found: Leader) -> str:
    """Return which method leads, and what it is tied with. A winner is told from every other method."""
    best = next(row for row in comparison.rows if row.method == found.method)
    tied = [row for row in comparison.rows if row.method in found.tied]
    title, accuracy = METHODS[best.method].title, _interval(best.accuracy)
    if len(comparison.rows) == 1:
        return f"{title} has {accuracy} %."
    if not tied:
        return f"{title} is the most accurate with {accuracy} %."
    if all(abs(row.accuracy.mean - best.accuracy.mean) < SAME for row in tied):
        return f"No winner: {title} is tied with {_names(tied)} at {percent_number(best.accuracy.mean)} %."
    return f"No winner: {title} has the highest mean, {accuracy} %, and is tied with {_names(tied)} ({_why(comparison)})."


def _names(rows: Sequence[MethodRow]) -> str:
    """Return the methods' titles, or their number where they are many."""
    if len(rows) > _MANY:
        return f"{len(rows)} others"
    return ", ".join(METHODS[row.method].title for row in rows)


def _why(comparison: Comparison) -> str:
    if max(row.seeds for row in comparison.rows) < 2:
        return "one seed tells nothing apart"
    return "not told apart by paired t over seeds, corrected by Holm for all pairs"
