"""Whether what stands for a column's name is a value: then a table has no line of names, and its first row is lost."""

import re
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"[-+−]?\d[\d.,]*")
_WORDS = 4


def is_value(name: str, cells: Iterable[str | None]) -> bool:
    """Return whether a column's name is of the kind of its cells.

    It is one that repeats, as classes do; it has the form of most of them, as numbers and ids have; or it is a whole
    sentence, as most of them are.
    """
    known = [cell.strip() for cell in cells if cell and cell.strip()]
    if not name or not known:
        return False
    alike = bool(_NUMBER.search(name)) and _most([_form(cell) == _form(name) for cell in known])
    sentences = _is_sentence(name) and _most([_is_sentence(cell) for cell in known])
    return known.count(name) > 1 or alike or sentences


def _most(found: Sequence[bool]) -> bool:
    return sum(found) > len(found) / 2


def _form(text: str) -> str:
    return _NUMBER.sub("0", text)


def _is_sentence(text: str) -> bool:
    return len(text.split()) >= _WORDS or text.endswith(("?", "？"))
