"""Options of a multiple-choice question that have columns of their own: option_a, option_b, ... or choice1, choice2."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from string import ascii_lowercase

from adastar_core.records import LETTERS

_NAME = re.compile(r"(.*?)[\W_]*([A-Za-z]|\d{1,2})")
_ORDERS = (ascii_lowercase, [str(i) for i in range(26)], [str(i) for i in range(1, 27)])
_NEARLY = 0.9


def families(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield columns whose names differ in the last letter or number alone, counting up from a, 0 or 1."""
    stems: dict[str, dict[str, str]] = {}
    for name in names:
        if found := _NAME.fullmatch(name):
            stems.setdefault(found[1].casefold(), {})[found[2].casefold()] = name
    for ends in stems.values():
        runs = ([ends[end] for end in takewhile(ends.__contains__, order)] for order in _ORDERS)
        if longest := next((run for run in runs if len(run) > 1), None):
            yield tuple(longest)


def labelled(family: Sequence[str], answers: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the columns, each after the label that answers call it by; nothing where they call it by none.

    That is the end of its name, a letter, or its place from 1 or from 0.
    """
    count = len(family)
    ends = [found[2] for name in family if (found := _NAME.fullmatch(name))]
    ways = (ends, LETTERS[:count], LETTERS[:count].lower(), range(1, count + 1), range(count))

    def fitting(labels: Sequence[str]) -> int:
        return sum(answer in labels for answer in answers)

    best = max(([str(label) for label in way] for way in ways), key=fitting)
    return tuple(zip(best, family, strict=True)) if fitting(best) >= _NEARLY * len(answers) > 0 else ()


def worded(
    family: Sequence[str], cells: Sequence[Sequence[str]], answers: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    """Return the columns, without labels, where nearly every answer is the text in one of them, and not always the same one."""
    told = [row.index(answer) for row, answer in zip(cells, answers, strict=True) if row.count(answer) == 1]
    usual = max((told.count(place) for place in range(len(family))), default=0)
    spread = len(told) >= _NEARLY * len(answers) and usual < _NEARLY * len(told)
    return tuple(("", name) for name in family) if spread else ()
