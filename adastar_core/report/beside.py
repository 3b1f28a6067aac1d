"""What stands beside a run's accuracies, as sentences and tables."""

from collections.abc import Iterable

from adastar_core.machine.units import NONE, accuracy, percent
from adastar_core.records import Accuracy
from adastar_core.report.cautions import quoted
from adastar_core.report.controls import Controls
from adastar_core.report.records import RunReport

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""Headings and rows."""


def beside(before: Controls | None, after: Controls | None, as_sampled: Controls | None = None) -> str | None:
    """Return in a sentence what the headline's accuracy is compared with; ``None`` where items were not recorded."""
    if before is None or after is None:
        return None
    parts = [] if after.chance is None else [f"guessing gives {percent(after.chance)}"]
    parts.append(f"always answering {quoted(after.constant)} gives {accuracy(after.majority)}")
    if as_sampled is not None:
        parts.append(
            f"the base model, prompted as rationales are sampled, gives {accuracy(as_sampled.accuracy)} on validation"
        )
    if before.read and after.read:
        parts.append(f"{_course(before.read, after.read)} of the answers could be read")
    if before.right_of_read and after.right_of_read and after.right_of_read.total:
        parts.append(f"of those {_course(before.right_of_read, after.right_of_read)} are right")
    if after.chance is not None and after.overuse:
        most, often = after.answers[0]
        parts.append(f"the most frequent answer is {quoted(most)} ({percent(often / after.overuse.of)})")
    return f"Beside it: {'; '.join(parts)}."


def _course(before: Accuracy, after: Accuracy) -> str:
    """Return what a share was and became; what it is alone where it was the same, as of a selected base model, or of nothing."""
    was, now = percent(before.share), percent(after.share)
    return now if was in (now, NONE) else f"{was} → {now}"


def answers_table(report: RunReport) -> Table | None:
    """Return how often each class is the reference, and was answered before and after; ``None`` where answers are open.

    Where the base model was selected there is no after.
    """
    before, after = report.base_controls, report.controls
    if before is None or after is None or after.chance is None:
        return None
    total = after.accuracy.total
    sides, named = (
        ((after,), ("base model",)) if report.selects_base else ((before, after), ("before", "after"))
    )
    columns = [dict(after.references), *(dict(side.answers) for side in sides)]
    classes = sorted(set().union(*columns))
    rows = [(one, *(_share(column.get(one, 0), total) for column in columns)) for one in classes]
    unread = [None if side.read is None else total - side.read.correct for side in sides]
    rows.append(
        (
            "none that could be read",
            NONE,
            *(NONE if count is None else _share(count, total) for count in unread),
        )
    )
    return ("answer", "reference", *named), rows


def classes_table(report: RunReport) -> Table | None:
    """Return what each iteration accepted by class of the reference; ``None`` where answers are open."""
    classes = sorted({row.answer for summary in report.iterations for row in summary.classes})
    if not classes:
        return None
    rows = []
    for summary in report.iterations:
        of = {row.answer: f"{row.accepted:,} of {row.visited:,}" for row in summary.classes}
        rows.append((str(summary.t), *(of.get(one, NONE) for one in classes), percent(summary.lucky_share)))
    return ("t", *(f"accepted {quoted(one)}" for one in classes), "right by luck, at most"), rows


def _share(count: int, total: int) -> str:
    return f"{count:,} ({percent(count / total)})"


def tables(report: RunReport) -> Iterable[tuple[str, Table]]:
    """Return the tables that there is something in, each with its title."""
    found = {"Answers": answers_table(report), "Accepted by class": classes_table(report)}
    return [(title, table) for title, table in found.items() if table is not None]
