"""One numeral in digits, as people and models write it, and its exact value."""

import re
from fractions import Fraction

from adastar_core.verifiers.arithmetic import Exact
from adastar_core.verifiers.number_words import words

_LARGEST_EXPONENT = 400

NUMERAL = re.compile(
    r"""(?P<sign>[-+]|(?:minus|negative)\s)?(?:[$€£¥₹]\s?)?(?P<inner>-)?
    (?:(?P<mixed>\d{1,15})\s(?=\d+/\d))?
    (?P<digits>\d{1,3}(?:,\d{3})+(?!,?\d)      # 1,080
        |[1-9]\d?(?:,\d{2})+,\d{3}(?!,?\d)     # 1,00,000
        |[1-9]\d{0,2}(?:[ '_]\d{3})+(?![\d/])   # 1 080
        |\d+(?!,\d)|(?=\.\d))
    (?P<decimals>\.\d+)?
    (?:\s?/\s?(?P<below>\d{1,15})(?!\d|[/.,]\d)
      |e(?P<exponent>[-+]?\d+))?""",
    re.IGNORECASE | re.VERBOSE,
)
_POWER_OF_TEN = re.compile(
    r"(?P<times>(?<=\d)\s?[×x*]\s?)?(?<![\d.])10(?:\s?\^\s?|\*\*(?=[\d{]))\{?(?P<power>[-+]?\d+)\}?"
)


def with_exponents(text: str) -> str:
    """Return the text with its powers of ten as exponents: ``1.5e3`` for ``1.5 × 10^3``."""
    if "10" not in text:
        return text
    return _POWER_OF_TEN.sub(lambda match: f"{'' if match['times'] else '1'}e{match['power']}", text)


def numeral_value(match: re.Match[str]) -> Exact | None:
    """Return the exact value of a :data:`NUMERAL`; ``None`` for a zero denominator or an exponent beyond any answer."""
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


_ONES = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
)
_TENS = dict(
    zip(words("twenty thirty forty fifty sixty seventy eighty ninety"), range(20, 100, 10), strict=True)
)
_SMALL = {word: value for value, word in enumerate(_ONES)} | _TENS
_LARGE = {"thousand": 1000, "million": 10**6, "billion": 10**9}


def value_in_words(text: str) -> int | None:
    """Return the whole number that is written in words alone, ``seventy-two``; ``None`` for any other text."""
    total = group = 0
    written = text.lower().replace("-", " ").replace(",", " ").replace(" and ", " ").split()
    for word in written:
        if word in _SMALL:
            group += _SMALL[word]
        elif word == "hundred":
            group *= 100
        elif word in _LARGE:
            total, group = total + group * _LARGE[word], 0
        else:
            return None
    return total + group if written else None
