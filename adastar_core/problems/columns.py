"""Guesses which columns of a table hold question, answer and options: by their names, else by what is in them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean

from adastar_core.errors import DataError
from adastar_core.problems.choices import names_options, read_choices
from adastar_core.problems.references import declared_or_whole
from adastar_core.problems.rows import Row, cell_text
from adastar_core.problems.spread import families, labelled, worded

NONE = "none"
"""What is given where a table has no such column."""
_LOOKED_AT = 500
_NAMES = {
    "question": "question problem prompt query instruction stem input ask task exercise questiontext problemtext text",
    "answer": "answer finalanswer solution answerkey target label output response expected reference gold result completion",
    "choices": "choices options candidates alternatives",
    "id": "id uid qid questionid name",
    "context": "context passage body background premise paragraph story article document input text",
}
"""Names without case and signs, the likeliest first."""

Texts = dict[str, list[str | None]]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a table problem needs; ``None`` where there is none. The prompt shows a context before the question.

    ``options`` are columns with one option each, after its label, which is empty where answers are texts; ``unfit`` hold options that no answers name.
    """

    question: str
    answer: str
    choices: str | None = None
    id: str | None = None
    context: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    unfit: tuple[str, ...] = ()


def column_names(rows: Sequence[Row]) -> list[str]:
    """Return the names in the first rows, those of nested fields as ``a.b``."""
    return list(dict.fromkeys(name for row in rows[:_LOOKED_AT] for name in row.columns()))


def guess_columns(rows: Sequence[Row], **given: str | None) -> Columns:
    """Return the columns, those that are ``given`` as they are; ``none`` stands for no column.

    Raises:
        DataError: A given column does not exist or is the answer's too, or no column looks like a question or an answer.
    """
    rows, names = rows[:_LOOKED_AT], column_names(rows)
    known = {key: _spelt(rows, names, key, name) for key, name in given.items() if name is not None}
    if "choices" not in known:
        free = [name for name in names if name not in known.values() and _is_field(name)]
        for family in families(free):
            if spread := _spread(rows, [name for name in names if name not in family], known, family):
                return spread
    return _guessed(rows, names, known)


def _spread(
    rows: Sequence[Row], others: Sequence[str], known: Mapping[str, str | None], family: Sequence[str]
) -> Columns | None:
    """Return the columns if those of the family hold one option each: answers are their labels or texts."""
    try:
        columns = _guessed(rows, others, known)
    except DataError:
        return None
    answers = [declared_or_whole(cell_text(row.get(columns.answer)) or "") for row in rows]
    cells = [[cell_text(row.get(name)) or "" for name in family] for row in rows]
    known_answers, texts = set(answers), [text for row in cells for text in row if text]
    judged = (
        sum(text in known_answers for text in texts) >= len(texts) / 2
    )  # as by several people: labels, not options
    if columns.choices:
        return None
    options = worded(family, cells, answers) or (() if judged else labelled(family, answers))
    return replace(columns, options=options) if options else None


def _guessed(rows: Sequence[Row], names: Sequence[str], known: Mapping[str, str | None]) -> Columns:
    lists = [] if "choices" in known else [name for name in names if _are_options(rows, name)]
    inner = [name for name in names if name.rpartition(".")[0] in lists]
    left = [name for name in names if name not in (*known.values(), *lists, *inner)]
    texts: Texts = {name: [cell_text(row.get(name)) for row in rows] for name in names}

    def find(key: str, fits: Callable[[str], bool], best: Callable[[list[str]], str | None]) -> str | None:
        if key in known:
            return known[key]
        fitting = [name for name in left if fits(name)]
        found = _by_name(fitting, key) or best(fitting)
        if found:
            left.remove(found)
        return found

    id_ = find("id", lambda name: len(set(texts[name])) == len(rows), lambda _: None)
    question = find("question", lambda name: _asks(texts[name]), lambda found: _longest(found, texts))
    answer = find("answer", lambda name: _has_texts(texts[name]), lambda found: _likeliest(found, texts))
    context = find("context", lambda name: any(texts[name]) and _is_field(name), lambda _: None)
    if question is None or answer is None:
        what = "question" if question is None else "answer"
        raise DataError(
            f"{rows[0].source}: none of the columns {', '.join(names)} looks like the {what}. Name it: --{what} COLUMN."
        )
    named = [name for name in lists if _are_named(rows, name, answer)]
    choices = (
        known["choices"] if "choices" in known else _by_name(named, "choices") or next(iter(named), None)
    )
    if answer in (question, context, choices):
        raise DataError(
            f"{rows[0].source}: the column {answer!r} holds the answer, so the prompt may not show it. Name another one for either."
        )
    unfit = tuple(name for name in lists if name not in named)
    return Columns(question, answer, choices, id_, context, unfit=unfit)


def _spelt(rows: Sequence[Row], names: Sequence[str], key: str, name: str) -> str | None:
    """Return a given column as the table spells it; ``None`` for none."""
    if name not in names and name.lower() == NONE:
        return None
    if name not in names and not any(row.names(name) for row in rows):
        raise DataError(
            f"{rows[0].source}: there is no column {name!r} (--{key}), only {', '.join(names)}. Name one of them."
        )
    return next((known for known in names if known.casefold() == name.casefold()), name)


def _by_name(names: Iterable[str], key: str) -> str | None:
    """Return the column with the likeliest name; that of a nested one may be its last part."""
    plain: dict[str, str] = {}
    for name in sorted(names, key=lambda name: "." in name):
        for shown in (name, name.rpartition(".")[2]):
            plain.setdefault(re.sub(r"[\W_]+", "", shown).casefold(), name)
    return next((plain[known] for known in _NAMES[key].split() if known in plain), None)


def _is_field(name: str) -> bool:
    """Return whether a template can name the column."""
    return not set(name) & set("{}!:")


def _are_options(rows: Sequence[Row], name: str) -> bool:
    try:
        return all(len(read_choices(row, name)) > 1 for row in rows)
    except DataError:
        return False


def _are_named(rows: Sequence[Row], name: str, answer: str) -> bool:
    """Return whether most answers name one of the options in this column."""
    return names_options([(cell_text(row.get(answer)) or "", read_choices(row, name)) for row in rows])


def _has_texts(texts: Sequence[str | None]) -> bool:
    return sum(bool(text) for text in texts) > len(texts) / 2


def _asks(texts: Sequence[str | None]) -> bool:
    """Return whether most texts differ and do not declare an answer, as a worked solution does."""
    known = [text for text in texts if text]
    declaring = sum(declared_or_whole(text) != text for text in known)
    return _has_texts(texts) and len(set(known)) > len(known) / 2 and declaring < len(known) / 2


def _longest(names: list[str], texts: Texts) -> str | None:
    lengths = {name: fmean(len(text or "") for text in texts[name]) for name in names}
    return max(lengths, key=lengths.__getitem__) if lengths and max(lengths.values()) > 0 else None


def _likeliest(names: list[str], texts: Texts) -> str | None:
    """Return the column of worked solutions, if there is one; else that of the shortest texts that do not only count rows."""

    def rank(name: str) -> tuple[bool, bool, float]:
        known = [text for text in texts[name] if text]
        solutions = sum(declared_or_whole(text) != text for text in known) > len(known) / 2
        counts = [text for text in known if text.isdecimal()]
        counting = len(counts) == len(known) > 1 and len({int(b) - int(a) for a, b in pairwise(counts)}) == 1
        return (not solutions, counting, fmean(map(len, known)))

    return min(names, key=rank) if names else None
