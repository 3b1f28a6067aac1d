"""Guesses which columns of a table hold question, answer and options: by their names, else by what is in them."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from adastar_core.errors import DataError
from adastar_core.problems.choices import read_choices
from adastar_core.problems.references import declared_or_whole
from adastar_core.problems.rows import Row, cell_text

_LOOKED_AT = 500
_NAMES = {
    "question": "question problem prompt query instruction input ask task exercise questiontext problemtext text",
    "answer": "answer finalanswer solution answerkey target label output response expected reference gold result completion",
    "choices": "choices options candidates alternatives",
    "id": "id uid qid questionid name",
}
"""Names without case and signs, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that a table problem needs; ``None`` where there is none."""

    question: str
    answer: str
    choices: str | None = None
    id: str | None = None


def guess_columns(rows: Sequence[Row], **given: str | None) -> Columns:
    """Return the columns, those that are ``given`` as they are.

    Raises:
        DataError: No column looks like a question or an answer.
    """
    rows = rows[:_LOOKED_AT]
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    left = [name for name in names if name not in given.values()]

    def find(key: str, fits: Callable[[str], bool], best: Callable[[list[str]], str | None]) -> str | None:
        if found := given.get(key):
            return found
        fitting = [name for name in left if fits(name)]
        found = _by_name(fitting, key) or best(fitting)
        if found:
            left.remove(found)
        return found

    texts = {name: [cell_text(row.values.get(name)) for row in rows] for name in names}
    choices = find("choices", lambda name: _are_options(rows, name), lambda found: next(iter(found), None))
    id_ = find("id", lambda name: len(set(texts[name])) == len(rows), lambda _: None)
    question = find("question", lambda name: _asks(texts[name]), lambda found: _longest(found, texts))
    answer = find("answer", lambda name: _has_texts(texts[name]), lambda found: _likeliest(found, texts))
    if question is None or answer is None:
        what = "question" if question is None else "answer"
        raise DataError(
            f"{rows[0].source}: none of the columns {', '.join(names)} looks like the {what}. Name it: --{what} COLUMN."
        )
    return Columns(question, answer, choices, id_)


def _by_name(names: Iterable[str], key: str) -> str | None:
    plain = {re.sub(r"[\W_]+", "", name).casefold(): name for name in names}
    return next((plain[known] for known in _NAMES[key].split() if known in plain), None)


def _are_options(rows: Sequence[Row], name: str) -> bool:
    try:
        return all(len(read_choices(row, name)) > 1 for row in rows)
    except DataError:
        return False


def _has_texts(texts: Sequence[str | None]) -> bool:
    return sum(bool(text) for text in texts) > len(texts) / 2


def _asks(texts: Sequence[str | None]) -> bool:
    """Return whether most texts differ and do not declare an answer, as a worked solution does."""
    known = [text for text in texts if text]
    declaring = sum(declared_or_whole(text) != text for text in known)
    return _has_texts(texts) and len(set(known)) > len(known) / 2 and declaring < len(known) / 2


def _longest(names: list[str], texts: dict[str, list[str | None]]) -> str | None:
    lengths = {name: fmean(len(text or "") for text in texts[name]) for name in names}
    return max(lengths, key=lengths.__getitem__) if lengths and max(lengths.values()) > 0 else None


def _likeliest(names: list[str], texts: dict[str, list[str | None]]) -> str | None:
    """Return the column of worked solutions, if there is one; else that of the shortest texts that do not only count rows."""

    def rank(name: str) -> tuple[bool, bool, float]:
        known = [text for text in texts[name] if text]
        solutions = sum(declared_or_whole(text) != text for text in known) > len(known) / 2
        counts = [text for text in known if text.isdecimal()]
        counting = len(counts) == len(known) > 1 and len({int(b) - int(a) for a, b in pairwise(counts)}) == 1
        return (not solutions, counting, fmean(map(len, known)))

    return min(names, key=rank) if names else None
