"""What may be said beside a chosen option without choosing another one: a closed list.

``not (A)``, ``(A) and (C) are wrong``, ``(B) is right``, ``which fits best``.
"""

import re
from collections.abc import Callable

from adastar_core.verifiers.closings import what_speaks

_NO_WORD = re.compile(r"\W+")

Naming = Callable[[str, int], tuple[frozenset[str], int, str] | None]
"""Returns which options a text names at a place, where that ends, and what was left out."""

_GAP = re.compile(r"[\s.,;:!)\]}\"'*_`(-]*(?:(?:and|so|also|note\ that)\s)?", re.IGNORECASE)
_NOT = re.compile(r"(?:and\s)?(?:not|rather\ than|instead\ of)\s+", re.IGNORECASE)
_NOUN = re.compile(r"(?:the\s)?(?:option|choice|answer|letter|label|class|statement)s?\s+", re.IGNORECASE)
_JOIN = re.compile(r"[\s)]*(?:,\s*(?:and|or|nor)?|and|or|nor|&)\s+", re.IGNORECASE)
_WHY = r"(?:,?\s(?:because|since|as|for)\b[^.!?;\n]*)?"
_STOP = r"(?=[\s)\]\"'*_`]*(?:[.!?;\n]|$))"
_WRONG = rf"""\s*(?:(?:is|are|was|were)\ (?:all\ |both\ |also\ |clearly\ |simply\ |just\ |a\ |common\ )*
    (?:incorrect|wrong|false|not\ (?:correct|right)|ruled\ out|excluded|eliminated|mistake|distractors?)
    |(?:does|do)\ not\ (?:fit|match|apply)){_WHY}{_STOP}"""
_ARE_WRONG = re.compile(_WRONG, re.IGNORECASE | re.VERBOSE)
_THE_OTHERS = re.compile(
    rf"(?:all\ )?(?:of\ )?the\ (?:other|remaining)\ (?:options|choices|answers|classes|labels|ones|two|three|four){_WRONG}",
    re.IGNORECASE | re.VERBOSE,
)
_IS_RIGHT = re.compile(
    rf"\s*(?:is|must be|seems)\s(?:the\s)?(?:correct|right|best|most likely|answer)(?:\s(?:answer|option|choice|one))?{_WHY}{_STOP}",
    re.IGNORECASE,
)
_DENIED_END = re.compile(_WHY + _STOP)
_FITS = re.compile(
    r"""(?:which|as\ it|it|this|that)\s(?:also\s|clearly\s|really\s|is\ what\s)*(?:fits?|match(?:es)?|describes?|explains?|means?
    |satisfies|makes\ sense|works|follows|answers)\b[^.!?;\n]*""",
    re.IGNORECASE | re.VERBOSE,
)
_DENIES = re.compile(
    r"\b(?:not|no|never|none|nothing|hardly|cannot|neither|nor|nobody)\b|n't\b", re.IGNORECASE
)


def without_remarks(rest: str, label: str, named: Naming, others: tuple[str, ...]) -> str:
    """Return what follows the option ``label`` without the remarks that agree with it; ``others`` name other options."""
    place = 0
    while place < len(rest):
        begins = _GAP.match(rest, place).end()  # type: ignore[union-attr]
        end = _remark(rest, place, begins, label, named) or _fitting(rest, begins, others)
        if not end or end <= place:
            break
        place = end
    return rest[place:]


def _remark(rest: str, place: int, begins: int, label: str, named: Naming) -> int:
    """Return where a remark ends that is about this option or about other ones; 0 if there is none."""
    if right := place == 0 and _IS_RIGHT.match(rest):
        return right.end()
    if others := _THE_OTHERS.match(rest, begins):
        return others.end()
    denied = _NOT.match(rest, begins)
    options, end = _listed(rest, denied.end() if denied else begins, named)
    if not options:
        return 0
    if options == {label} and not denied:
        own = _IS_RIGHT.match(rest, end)
        return own.end() if own else 0
    if label in options:
        return 0
    if denied:
        stop = _DENIED_END.match(rest, end)
        return stop.end() if stop else 0
    wrong = _ARE_WRONG.match(rest, end)
    return wrong.end() if wrong else 0


def _listed(rest: str, place: int, named: Naming) -> tuple[set[str], int]:
    """Return the options of a list such as ``(A), (C) and (D)``, and where it ends."""
    options: set[str] = set()
    end = place
    while True:
        noun = _NOUN.match(rest, place)
        found = named(rest, noun.end() if noun else place)
        if found is None:
            return options, end
        options |= found[0]
        end = found[1]
        join = _JOIN.match(rest, end)
        if join is None:
            return options, end
        place = join.end()


def _fitting(rest: str, begins: int, others: tuple[str, ...]) -> int:
    """Return where ``which fits ...`` ends, if it denies nothing and names no other option."""
    fits = _FITS.match(rest, begins)
    if fits is None or _DENIES.search(fits[0]) or what_speaks(fits[0], lambda _: True):
        return 0
    said = words(fits[0])
    return 0 if any(other in said or other in said.lower() for other in others) else fits.end()


def words(text: str) -> str:
    """Return the words of a text, each between spaces."""
    return f" {_NO_WORD.sub(' ', text)} "
