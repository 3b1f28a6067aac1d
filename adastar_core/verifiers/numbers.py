"""Reading one number as people and models write it: exactly, without floating point and without ``eval``."""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from adastar_core.verifiers.declarations import LONGEST
from adastar_core.verifiers.extraction import Parsed, Unclear
from adastar_core.verifiers.plain import plain
from adastar_core.verifiers.tidy import is_question

Exact = int | Fraction
"""An exact value; whole numbers stay ``int``, which compares with ``Fraction`` and is ten times as fast."""

_LARGEST_EXPONENT = 400


class Number(NamedTuple):
    """What a written number may stand for.

    Attributes:
        certain: Its value; both 25 and 1/4 for ``25%``.
        doubtful: What it may stand for: 2 for ``2 million`` if the question asks for millions, and 80 or 0.08 for
            ``0,080``.
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


_SIMPLE = re.compile(
    r"[\s*]*\$?(-?(?:\d{1,15}|[1-9]\d{0,2}(?:,\d{3}){1,4}))(?:\.(\d{1,9}))?(?: ([A-Za-z]{2,}))?[.*]*\s*"
)
_SEGMENT_END = re.compile(
    r"[.!?;:](?=\s|$)(?<!Rs\.)|,\s(?=[A-Za-z])|\s(?:because|since|as|so|which|when)\s|(?<=[\w%])\s\((?!\d+/)|\n"
)
_FILLER = re.compile(
    r"""(?:[\s:,*_`"'(\[{~≈—$€£¥₹]
    |(?:approximately|approx\.?|about|roughly|around|exactly|equal\ to|just|only|simply|therefore|thus|then|now|indeed
       |a\ total\ of|US|USD|EUR|GBP|Rs\.?)(?![A-Za-z]))*""",
    re.IGNORECASE | re.VERBOSE,
)
_NUMBER = re.compile(
    r"""(?P<sign>[-+]|(?:minus|negative)\s)?(?:[$€£¥₹]\s?)?(?P<inner>-)?
    (?:(?P<mixed>\d{1,15})\s(?=\d+/\d))?
    (?P<digits>\d{1,3}(?:,\d{3})+(?![\d,])      # 1,080
        |[1-9]\d?(?:,\d{2})+,\d{3}(?![\d,])     # 1,00,000
        |[1-9]\d{0,2}(?:[ '_]\d{3})+(?![\d/])   # 1 080
        |\d+(?!,\d)|(?=\.\d))
    (?P<decimals>\.\d*)?
    (?:\s?/\s?(?P<below>\d{1,15})(?![\d/.,])
      |e(?P<exponent>[-+]?\d+))?""",
    re.IGNORECASE | re.VERBOSE,
)
_POWER_OF_TEN = re.compile(
    r"(?P<times>(?<=\d)\s?[×x*]\s?)?(?<![\d.])10\s?(?:\^|\*\*)\s?\{?(?P<power>[-+]?\d+)\}?"
)
_DENIAL = re.compile(
    r"""\b(?:not|either|neither|or|between|less|more|fewer|greater|least|most|over|under|above|below|half|twice|double
    |triple|up\ to)\b|[<>≤≥≠]|!=|n't\b""",
    re.IGNORECASE | re.VERBOSE,
)
_FACTORS = {
    word: (factor, bare_is_certain, product_is_certain)
    for words, factor, bare_is_certain, product_is_certain in (
        ("%|percent|per cent", Fraction(1, 100), True, True),
        ("hundred", Fraction(100), False, True),
        ("thousand|k", Fraction(1000), False, True),
        ("million", Fraction(10**6), False, True),
        ("billion", Fraction(10**9), False, True),
        ("trillion", Fraction(10**12), False, True),
        ("dozen|dozens", Fraction(12), False, True),
        ("cent|cents|¢", Fraction(1, 100), True, False),
        ("halves", Fraction(1, 2), False, True),
        ("thirds", Fraction(1, 3), False, True),
        ("quarters", Fraction(1, 4), False, False),
        ("fourths", Fraction(1, 4), False, True),
        ("fifths", Fraction(1, 5), False, True),
        ("tenths", Fraction(1, 10), False, True),
        ("hundredths", Fraction(1, 100), False, True),
    )
    for word in words.split("|")
}
_FACTOR = re.compile(
    rf"[\s*_\-]*(%|¢|(?:{'|'.join(w for w in _FACTORS if w[0].isalpha())})\b)", re.IGNORECASE
)
_TAIL_START = re.compile(
    r"""[*_`"')\]}\s]*(?:$|[.,;:!?%°$€£¥₹¢](?!\d)|[-/]\s?[A-Za-z]|(?<=[\s*_])—|—|[A-Za-z]{2}|[mgshlLWVJNCFda](?![A-Za-z0-9^]))"""
)
_TROUBLE_WORDS = (
    "half|third|squared|cubed|factorial|plus|minus|over|divided|multiplied|or|than|pi"
    "|one|two|three|four|five|six|seven|eight|nine|ten|hundred|thousand|million"
)
_TAIL_TROUBLE = re.compile(
    rf"""(?<![A-Za-z0-9])[-+.]?\d|^\.\.|[√π∞…^=<>≤≥≠+×÷\\]|\s[-*/]\s|\b(?:{_TROUBLE_WORDS})\b""",
    re.IGNORECASE,
)
_LOADED = {*_FACTORS, *_TROUBLE_WORDS.split("|")}


def read_number(written: str) -> Parsed[Number] | Unclear | None:
    """Read X as one number.

    Returns:
        The number with its canonical decimal text (a fraction where no decimal is exact); ``Unclear`` when it
        begins with a number but goes on with other numbers, operators or doubt; ``None`` when it is prose.
    """
    simple = _SIMPLE.fullmatch(written)  # most answers, without the steps below
    if simple and (simple[3] is None or simple[3].lower() not in _LOADED) and ".." not in written:
        whole, decimals = simple[1].replace(",", ""), (simple[2] or "").rstrip("0")
        value: Exact = Fraction(int(whole + decimals), 10 ** len(decimals)) if decimals else int(whole)
        return Parsed(Number((value,)), decimal_text(value))
    # slow path; of an equation such as 40 + 2 = 42 the last side counts
    left, equals, segment = _segment(plain(written[:LONGEST]))[0].rpartition("=")
    start = _FILLER.match(segment)
    match = _NUMBER.match(segment, start.end() if start else 0)
    if match is not None and is_question(written):
        return Unclear("the declared answer is a question")
    if match is None or not match[0][-1:].strip("-+$€£¥₹ "):
        denied = any(c.isdigit() for c in segment) and _DENIAL.search(left + equals + segment)
        return Unclear("the declared answer is a comparison or a denial") if denied else None
    if equals and _DENIAL.search(left + equals):
        return Unclear("the declared answer is a comparison or a denial")
    return _number(match, segment[match.end() :])


def _segment(text: str) -> tuple[str, str]:
    """Return what is said before the sentence goes on, with powers of ten as exponents, and what follows."""
    if "10" in text:
        text = _POWER_OF_TEN.sub(lambda match: f"{'' if match['times'] else '1'}e{match['power']}", text)
    body = text.strip().lstrip("([{").lstrip()
    end = _SEGMENT_END.search(body, 1)
    return (body[: end.start()].strip(), body[end.end() :]) if end else (body.strip(), "")


def _number(match: re.Match[str], tail: str) -> Parsed[Number] | Unclear:
    value = _value(match)
    if value is None:
        return Unclear("the declared answer is not a number of a sensible size")
    factor = _FACTOR.match(tail)
    rest = tail[factor.end() :] if factor else tail
    if not _TAIL_START.match(rest) or _TAIL_TROUBLE.search(rest):
        return Unclear("the declared answer goes on after its first number")
    if not factor:
        digits = match["digits"] or ""
        if digits[:1] == "0" and "," in digits:
            return Parsed(Number((), (value, Fraction(digits.replace(",", ".", 1).replace(",", "")))), digits)
        return Parsed(Number((value,)), decimal_text(value))
    scale, bare_is_certain, product_is_certain = _FACTORS[factor[1].lower()]
    readings = ((value, bare_is_certain), (value * scale, product_is_certain))
    number = Number(tuple(v for v, sure in readings if sure), tuple(v for v, sure in readings if not sure))
    return Parsed(number, f"{decimal_text(value)} {factor[1]}".replace(" %", "%"))


def _value(match: re.Match[str]) -> Exact | None:
    """Return the exact value; ``None`` for a zero denominator or an exponent beyond any answer."""
    sign, inner, mixed, digits, decimals, below, exponent = match.groups()
    negative = (sign is not None and sign[0] != "+") != (inner is not None)
    places = (decimals or ".")[1:]
    value: Exact = int("".join(c for c in (digits or "") if c.isdigit()) + places or "0")
    if places or below or exponent or mixed:
        power = int((exponent or "0")[:9])
        under = 10 ** len(places) * int(below or "1")
        if abs(power) > _LARGEST_EXPONENT or under == 0:
            return None
        value = Fraction(value * 10 ** max(power, 0), under * 10 ** max(-power, 0)) + int(mixed or "0")
    return -value if negative else value


def decimal_text(value: Exact) -> str:
    """Return a number's canonical text: ``"1080"``, ``"0.5"``, and ``"1/3"`` where no decimal is exact."""
    if isinstance(value, int):
        return str(value)
    below, places = value.denominator, 0
    while below % 10 == 0 or below % 5 == 0 or below % 2 == 0:
        below //= 10 if below % 10 == 0 else 5 if below % 5 == 0 else 2
        places += 1
    if places == 0 or below != 1 or places > 30:
        return str(value)
    text = f"{abs(value.numerator) * 10**places // value.denominator:0{places + 1}d}"
    return f"{'-' if value < 0 else ''}{text[:-places]}.{text[-places:].rstrip('0')}"


@lru_cache(maxsize=8192)
def reference_number(answer: str) -> Number | None:
    """Return the number that a reference answer states; ``None`` when it does not state one."""
    read = read_number(answer)
    return read.value if isinstance(read, Parsed) else None


def states_one_number(answer: str) -> bool:
    """Return whether a reference is a number, and not a text that goes on to other numbers after its first sentence."""
    goes_on = any(character.isdigit() for character in _segment(plain(answer))[1])
    return reference_number(answer) is not None and not goes_on
