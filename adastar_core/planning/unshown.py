"""What ``adastar init`` says about the options of a table: which columns it takes for them, and where it finds none."""

import re
from collections.abc import Iterator, Sequence

from adastar_core.problems.columns import NONE, Columns
from adastar_core.records import LETTERS, Observation

_MOST_LABELS, _ROWS_PER_LABEL = 6, 5
_NEARLY = 0.9


def option_notes(columns: Columns, rows: Sequence[Observation], *, asked: bool) -> Iterator[str]:
    """Yield a sentence on each column of options that was guessed or not taken, and on answers that look like labels.

    Not where somebody said which column it is (not ``asked``), or that there is none.
    """
    if not asked:
        return
    for name in columns.unfit:
        yield (
            f"the column {name!r} could hold options, but most answers name none of them, so it is not used. If it holds "
            f"them, say --choices {name}."
        )
    if columns.options:
        names = ", ".join(name for _, name in columns.options)
        yield f"the prompt shows the columns {names} as options. If they are none, say --choices {NONE}."
    elif columns.choices is None and (labels := _labels(rows)) and not _are_shown(labels, rows):
        yield (
            f"the answers look like labels of options ({', '.join(labels)}), but no column holds options in every row; show "
            "them in problem.prompt or give --choices COLUMN."
        )


def _labels(rows: Sequence[Observation]) -> list[str]:
    """Return the answers, if nearly all are among the first letters, or among few numbers that count up from 0 or 1."""
    answers = [row.answer for row in rows]
    small = [str(number) for number in range(_MOST_LABELS + 1)]
    for known in (LETTERS[:_MOST_LABELS], LETTERS[:_MOST_LABELS].lower(), small):
        found = [label for label in known if label in answers]
        nearly = sum(answer in found for answer in answers) >= _NEARLY * len(answers)
        counting = found in (small[: len(found)], small[1 : len(found) + 1])
        few = len(found) <= _MOST_LABELS and len(found) * _ROWS_PER_LABEL <= len(answers)
        if len(found) > 1 and nearly and (known is not small or (counting and few)):
            return found
    return []


def _are_shown(labels: Sequence[str], rows: Sequence[Observation]) -> bool:
    """Return whether most questions list the options themselves, such as ``A) 12 B) 15``."""
    marks = [re.compile(rf"(?<!\w){label}[).:\]]", re.IGNORECASE) for label in labels[:2]]
    texts = [" ".join([row.question, *(text for _, text in row.context)]) for row in rows]
    return sum(all(mark.search(text) for mark in marks) for text in texts) > len(texts) / 2
