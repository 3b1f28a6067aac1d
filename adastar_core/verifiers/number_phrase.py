"""The phrase of one number: ``[about] [currency] number [scale] [unit words]``, read to its end or not at all.

What a word may do behind a number is in :mod:`adastar_core.verifiers.number_words`. What is said after the phrase has
ended, be it after a comma, a full stop or in brackets, is returned as the rest and not judged here.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from adastar_core.verifiers.arithmetic import Exact, evaluate
from adastar_core.verifiers.extraction import Parsed, Unclear
from adastar_core.verifiers.number_words import (
    CHANGE,
    COUNTED,
    IN_MONEY,
    ONE_OF,
    SCALES,
    SYMBOLS,
    Role,
    Scale,
    is_participle,
    role,
)
from adastar_core.verifiers.numerals import NUMERAL, decimal_text, numeral_value, value_in_words


class Number(NamedTuple):
    """What a written number may stand for.

    Attributes:
        certain: Its value; both 25 and 1/4 for ``25%``.
        doubtful: What it may stand for: 2 for ``2 million`` if the question asks for millions, 80 or 0.08 for
            ``0,080``, and -5 for ``(5)``.
    """

    certain: tuple[Exact, ...]
    doubtful: tuple[Exact, ...] = ()

    def equals(self, other: "Number") -> bool:
        """Return whether both certainly stand for one value."""
        if len(self.certain) == len(other.certain) == 1:
            return self.certain == other.certain
        return any(value in other.certain for value in self.certain)

    def may_equal(self, other: "Number") -> bool:
        """Return whether both stand for one value in some unit."""
        theirs = other.certain + other.doubtful
        return any(value in theirs for value in self.certain + self.doubtful)


FILLER = re.compile(
    r"""(?:[\s:,*_`"'(\[{~≈—=$€£¥₹]
    |(?:approximately|approx\.?|about|roughly|around|exactly|precisely|equal\ to|just|only|simply|therefore|thus|then|now|indeed
       |a\ total\ of|US|USD|EUR|GBP|INR|Rs\.?)(?![A-Za-z]))*""",
    re.IGNORECASE | re.VERBOSE,
)
_MONEY = re.compile(r"[$€£¥₹]|USD|EUR|GBP|INR|Rs", re.IGNORECASE)
_SPACING = r"[ \t\r*_`\"'$€£¥₹]|°\s?(?:[CFK](?![A-Za-z]))?+"
_GAP = rf"(?:{_SPACING})*+"
_LETTERS = "[A-Za-zÀ-ÖØ-öø-ÿ]+"
WORD = re.compile(rf"{_LETTERS}(?:'[A-Za-z]+)*")
_GLUED = re.compile(_LETTERS)
_SCALE = re.compile(rf"(?:-|{_GAP})(%|¢|per cent\b|{_LETTERS})")
_AND_PART = re.compile(rf"[ -]and[ -](?:a|an|one)[ -]({_LETTERS})", re.IGNORECASE)
_NEXT_WORD = re.compile(rf"(?:-|{_GAP}(?:/{_GAP})?)(left over\b|{WORD.pattern})")
_ABBREVIATED = re.compile(r"\.(?=\s+[a-z])")
_BRACKET = re.compile(rf"{_GAP}(?<=[ *_$])\(([^()]*)\)")
_END = re.compile(
    rf"""(?:{_SPACING}|}})*+(?:$|(?=\n|[.,:](?![\d.])|;|—|[✅✓✔🎉☑∎■□◻👍😊🙂]|<[/|a-z]|\\end|\\\\)
    |(?=!+[ \t*_"']*(?:$|\n|[A-Z]|[^\x00-\x7f])))""",
    re.VERBOSE,
)
_ORDINAL = re.compile(r"(?:.*[^1])?1st|(?:.*[^1])?2nd|(?:.*[^1])?3rd|.*[04-9]th|.*1[123]th")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def read_phrase(text: str, at: int) -> Parsed[Number] | Unclear | None:
    """Read the number phrase that begins at ``at``; ``None`` where something else does."""
    start = FILLER.match(text, at)
    at = start.end() if start else at
    filler = start[0] if start else ""
    text, bracket = _unwrapped(text, filler, at)
    match = NUMERAL.match(text, at)
    if match is None or not match[0][-1:].strip("-+$€£¥₹ "):
        return None
    value = numeral_value(match)
    if value is None:
        return Unclear("the declared answer is not a number of a sensible size")
    money = _MONEY.search(filler + match[0]) is not None and "$" not in text[match.end() : match.end() + 2]
    value, scales, end = _scaled(text, match, value, money)
    number = _readings(value, [scale for _, scale in scales], match["digits"] or "")
    if bracket == match.end() and value > 0:  # perhaps an accountant's -5
        certain = () if money else number.certain
        number = Number(certain, (*number.certain, *number.doubtful, -value))
    said = " ".join([decimal_text(value), *(word for word, _ in scales)]).replace(" %", "%")
    rest = _after(text, match, end, number.certain)
    return rest if isinstance(rest, Unclear) else Parsed(number, said, text[rest:])


def _unwrapped(text: str, filler: str, at: int) -> tuple[str, int]:
    """Return the text without the brackets that close what the filler opens, and the place of the last of them."""
    closed = -1
    for opened in filler[::-1]:
        if opened in _CLOSING:
            closed = text.find(_CLOSING[opened], max(at, closed))
            if closed < 0:
                return text, -1
            text = f"{text[:closed]} {text[closed + 1 :]}"
    return text, closed


def _scaled(
    text: str, match: re.Match[str], value: Exact, money: bool
) -> tuple[Exact, list[tuple[str, Scale]], int]:
    """Return a numeral's value with ``and a half`` added, the words that multiply it, and where they end."""
    at = match.end()
    part = _AND_PART.match(text, at)
    if part and part[1].lower() in ONE_OF and isinstance(value, int):
        share = ONE_OF[part[1].lower()].factor
        value, at = value - share if value < 0 else value + share, part.end()
    scales: list[tuple[str, Scale]] = []
    while (step := _SCALE.match(text, at)) and (scale := _scale(step[1], value, money and not scales)):
        scales.append((step[1], scale))
        at = step.end()
    return value, scales, at


def multiplies(said: str) -> bool:
    """Return whether the first of the words behind a number may multiply it."""
    step = _SCALE.match(said)
    return step is not None and _scale(step[1], 1, money=True) is not None


def _scale(word: str, value: Exact, money: bool) -> Scale | None:
    if money and word in IN_MONEY:
        return IN_MONEY[word]
    return (
        SCALES.get(word)
        or SCALES.get(word.lower())
        or (ONE_OF.get(word.lower()) if abs(value) == 1 else None)
    )


def _readings(value: Exact, scales: list[Scale], digits: str) -> Number:
    if not scales and digits[:1] == "0" and "," in digits:
        return Number((), (value, Fraction(digits.replace(",", ".", 1).replace(",", ""))))
    if not scales:
        return Number((value,))
    product = value
    for scale in scales:
        product *= scale.factor
    bare = all(scale.bare_is_certain for scale in scales)
    readings = ((value, bare), (product, all(scale.product_is_certain for scale in scales)))
    return Number(tuple(v for v, sure in readings if sure), tuple(v for v, sure in readings if not sure))


def _after(text: str, match: re.Match[str], at: int, values: tuple[Exact, ...]) -> int | Unclear:
    """Read what stands behind a number and its scale, and return where the rest begins."""
    glued = _GLUED.match(text, at) if at == match.end() else None
    if glued and glued[0] not in SYMBOLS and not _ORDINAL.fullmatch(text[match.start() : glued.end()]):
        return _goes_on(text, at)
    units = units_end(text, glued.end(), Role.UNIT) if glued else units_end(text, at, None)
    while isinstance(units, int) and (said := _BRACKET.match(text, units)) and _restates(said[1], values):
        units = units_end(text, said.end(), Role.UNIT)
    if isinstance(units, Unclear):
        return units
    if _BRACKET.match(text, units) or _NEXT_WORD.match(text, units):  # words end only where a reason begins
        return units
    end = _END.match(text, units)
    return end.end() if end else _goes_on(text, units)


def units_end(text: str, at: int, previous: Role | None) -> int | Unclear:
    """Return where unit words end: at a reason, or at something that is no word.

    ``previous`` is the role of the word before; ``None`` directly behind the number.
    """
    while step := _NEXT_WORD.match(text, at):
        word, found = step[1], role(step[1])
        if found is Role.REASON:
            break
        end = step.end()
        if word in SYMBOLS and (dot := _ABBREVIATED.match(text, end)):
            end = dot.end()
        following = _NEXT_WORD.match(text, end)
        if not _may_follow(previous, found, word) or not _may_precede(
            previous, word, following[1] if following else None
        ):
            return _goes_on(text, at)
        is_inches = word == "in" and previous is None and following is None
        at, previous = end, Role.UNIT if is_inches else found
    return _goes_on(text, at) if previous in (Role.LINK, Role.JOIN) else at


def _may_follow(previous: Role | None, found: Role, word: str) -> bool:
    if found is Role.JOIN:
        return previous is Role.UNIT
    if previous is Role.JOIN:
        return found is Role.UNIT and word.lower() not in CHANGE
    return found is not Role.SPEAKS and not (word == "to" and previous is not Role.UNIT)


def _may_precede(previous: Role | None, word: str, following: str | None) -> bool:
    """Return whether a word that has a second meaning has that of a unit before the next word."""
    if role(word) is Role.TIMES:
        return following is None or following.lower() in COUNTED or role(following) is Role.REASON
    if previous is None and is_participle(word):  # baked rolls, but not: tripled
        return following is not None and role(following) is Role.UNIT
    return True


def _restates(said: str, values: tuple[Exact, ...]) -> bool:
    """Return whether brackets hold the same value as arithmetic or in words, or a unit alone."""
    if any(character.isdigit() for character in said):
        return evaluate(without_units(said)) in values
    if (stated := value_in_words(said)) is not None:
        return stated in values
    units = units_end(said, 0, Role.UNIT)
    return isinstance(units, int) and not said[units:].strip()


def without_units(text: str) -> str:
    """Return the arithmetic of ``3 pens × $2``; a word that is no unit stays, and nothing with it can be evaluated."""
    bare = WORD.sub(lambda match: " " if role(match[0]) is Role.UNIT else match[0], text)
    return re.sub(r"[$€£¥₹_`]|(?<![\d* )])\*\*|\*\*(?=\s|$)", " ", bare)


def _goes_on(text: str, at: int) -> Unclear:
    if text[at:].lstrip(" *_$")[:1] == "?":
        return Unclear("the declared answer is a question")
    return Unclear(
        f"the declared answer goes on after its first number: {' '.join(text[at:].split())[:40]!r}"
    )
