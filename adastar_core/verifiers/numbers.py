"""Reading X as one number, exactly, without floating point and without ``eval``."""

import re
from fractions import Fraction
from functools import lru_cache

from adastar_core.verifiers.arithmetic import Exact, evaluate
from adastar_core.verifiers.closings import what_speaks
from adastar_core.verifiers.declarations import LONGEST
from adastar_core.verifiers.extraction import Parsed, Unclear
from adastar_core.verifiers.number_phrase import (
    FILLER,
    WORD,
    Number,
    multiplies,
    read_phrase,
    units_end,
    without_units,
)
from adastar_core.verifiers.number_words import Role, role
from adastar_core.verifiers.numerals import decimal_text, with_exponents
from adastar_core.verifiers.plain import plain

_SIMPLE = re.compile(
    r"""[\s*]*\$?(\\boxed\{)?(?P<whole>-?(?:\d{1,15}|[1-9]\d{0,2}(?:,\d{3}){1,4}))(?:\.(?P<decimals>\d{1,9}))?
    (?P<unit>(?:[ ][A-Za-z]+)*)(?(1)\})(?P<end>[.*$]*)\s*""",
    re.VERBOSE,
)
_HEAD_END = re.compile(r"[.!?;:](?=\s|$)|\n|,\s|—|\s(?:because|since)\s")
_RELATION = re.compile(r"[<>≤≥≠≈]|!=")
_NAME = re.compile(r"[A-Za-z](?:_?\{?\w{1,3}\}?)?'*(?:\([^()=]*\))?")


def read_number(written: str) -> Parsed[Number] | Unclear | None:
    """Read X as one number.

    Returns:
        The number, its canonical decimal text (a fraction where no decimal is exact) and what X says after it;
        ``Unclear`` when X begins with a number but goes on with other numbers, operators or words that
        may change it; ``None`` when it begins with other words.
    """
    simple = _SIMPLE.fullmatch(written)  # most answers, without the steps below
    if simple and ".." not in simple["end"] and (not simple["unit"] or _is_plain_unit(simple["unit"])):
        whole, decimals = simple["whole"].replace(",", ""), (simple["decimals"] or "").rstrip("0")
        value: Exact = Fraction(int(whole + decimals), 10 ** len(decimals)) if decimals else int(whole)
        return Parsed(Number((value,)), decimal_text(value))
    text = with_exponents(plain(written[:LONGEST])).lstrip()
    head = head_of(text)
    found = _equation(text, head) if "=" in head else read_phrase(text, 0)
    if isinstance(found, Parsed):
        rest = found.rest + written[LONGEST:]
        return found._replace(rest=rest if rest.strip(" .*$") else "")
    return found


@lru_cache(maxsize=8192)
def _is_plain_unit(said: str) -> bool:
    """Return whether words behind a number are its unit and nothing else; few units are said of very many numbers."""
    return not multiplies(said) and units_end(said, 0, None) == len(said)


def head_of(text: str) -> str:
    """Return what is said before the sentence goes on or ends."""
    end = _HEAD_END.search(text, 1)
    return text[: end.start()] if end else text


def _equation(text: str, head: str) -> Parsed[Number] | Unclear | None:
    """Read the last side of an equation; each side before it must be a name, or arithmetic of the same value."""
    found = read_phrase(text, head.rindex("=") + 1)
    if not isinstance(found, Parsed):
        return found
    if _RELATION.search(head):
        return Unclear("the declared answer is a comparison")
    for side in re.split("=+", head)[:-1]:
        if side.strip() and not _is_name(side) and evaluate(without_units(side)) not in found.value.certain:
            return Unclear(f"{side.strip()[:40]!r} is not known to equal what stands after it")
    return found


def _is_name(side: str) -> bool:
    start = FILLER.match(side)
    name = side[start.end() if start else 0 :].strip(" $*_")
    if any(character.isdigit() for character in name):
        return _NAME.fullmatch(name) is not None
    return all(len(word) == 1 or role(word) is not Role.SPEAKS for word in WORD.findall(name))


@lru_cache(maxsize=8192)
def reference_number(answer: str) -> Number | None:
    """Return the number that a reference answer states; ``None`` when it does not state one and nothing else."""
    read = read_number(answer)
    return read.value if isinstance(read, Parsed) and not what_speaks(read.rest) else None
