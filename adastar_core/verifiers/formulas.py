r"""What a formula states: a value, perhaps with a name (``x =``), a unit, and the calculation that leads to it."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

from adastar_core.verifiers import latex
from adastar_core.verifiers.units import names_thing, read_unit

_LETTER = r"(?:[A-Za-z]|\\(?:alpha|beta|gamma|delta|theta|lambda|mu|sigma|phi|omega|rho|tau))"
_INDEX = r"(?:\s?_\s?(?:\w|\{[^{}]*\}))?"
_NAME = re.compile(
    rf"""(?:{_LETTER}{_INDEX}'*(?:\s?\^\{{-1\}})?(?:\s?\([A-Za-z0-9,\s]{{1,20}}\))?   # x, a_1, f(x), P(A), f^{{-1}}(2)
    |\({_LETTER}{_INDEX}(?:\s?,\s?{_LETTER}{_INDEX})+\)                                # (x, y)
    |(?:m\s?)?\\angle\s?[A-Z]{{1,3}}|\|?[A-Z]{{2}}\|?|\\overline\s?\{{[A-Z]{{2}}\}}     # angles and segments
    )""",
    re.VERBOSE,
)
_WORD_NAME = re.compile(r"[A-Z]?[a-z]{2,}(?:\s(?:[a-z]{2,}|[A-Z]+)){0,5}")
_MEMBERSHIP = re.compile(rf"({_LETTER}{_INDEX})\s*(?:\\in\b|∈)\s*(.+)", re.DOTALL)
_TEXT_AT_END = re.compile(
    r"(.*?[\w)}\]%.|!'])[\s,]*\\(?:text(?:bf|rm|it)?|mathrm|mbox)\s*\{\s*([A-Za-z][^{}]*?)\s*\}(\s?\^\s?\{?[23]\}?)?",
    re.DOTALL,
)
_SIGN_AT_END = re.compile(
    r"(.*[\w)}\].])\s*(\\?%|\\?°|\\(?:cent|textcent)s?\b|¢|€|£|\\?\$)(?:\s?([CFK])\b)?", re.DOTALL
)
_WORDS_AT_END = re.compile(r"([-+]?[\d.,/]*\d|[-+]?\d*\s?\\frac\{-?\d+\}\{\d+\})\s?([A-Za-z].*)", re.DOTALL)
_CURRENCY = re.compile(
    r"([-+]?)\s*\\?([$€£]|text(?:dollar|sterling)|pounds|euro)\s*(?=[-\d.\\])(.+)", re.DOTALL
)
_CURRENCIES = {"textdollar": "$", "textsterling": "£", "pounds": "£", "euro": "€"}
_NUMERAL = re.compile(r"([-+]?)\s*(\d{0,60})(\.\d{0,60})?(?:[eE]([-+]?\d{1,3}))?")
_RATIO = re.compile(r"([-+]?)\s*(?:(\d{1,20})\s*)?(?:\\frac\{\s*(-?\d{1,60})\s*\}\{\s*(\d{1,60})\s*\})")
_SLASH = re.compile(r"([-+]?)\s*(?:(\d{1,20})\s+)?(\d{1,60})\s?/\s?(\d{1,60})")
_PLUS_OR_MINUS = re.compile(r"\s*\\pm\b\s*")


@dataclass(frozen=True, slots=True)
class Formula:
    """One formula in one spelling.

    Attributes:
        latex: All of it but for its unit and the middle of a calculation.
        unit: What its number counts.
        name: What is said to equal the value, e.g. ``x``; empty where nothing is.
        value: The last side of a named value or a calculation; else all of it.
        claims: What a calculation says to be equal to the value: ``3+4`` of ``3+4=7``.
        chained: Whether it equates formulas with letters, so that none of them is the value.
        written: The formula before the commas of its numbers were dropped.
    """

    latex: str
    unit: str = ""
    name: str = ""
    value: str = ""
    claims: tuple[str, ...] = ()
    chained: bool = False
    written: str = ""

    def __str__(self) -> str:
        glue = "" if self.unit in ("%", "°", "¢") else " "
        return f"{self.latex}{glue}{self.unit}" if self.unit else self.latex


@lru_cache(maxsize=4096)
def read_formula(written: str) -> Formula:
    """Return what a formula states; ``written`` is all of it, without delimiters."""
    text = latex.one_spelling(written).strip("*_ ").rstrip(" ,;")
    text = (text if text.endswith("..") else text.removesuffix(".")).strip()
    text, unit = _without_unit(text)
    text = latex.without_text(text)
    text, unit = (text, unit) if unit else _without_unit(text)
    return replace(_stated(latex.without_thousands(text), unit), written=text)


def _without_unit(text: str) -> tuple[str, str]:
    """Part a formula from the unit before or after it."""
    if money := _CURRENCY.fullmatch(text):
        currency = _CURRENCIES.get(money[2], money[2])
        amount, unit = _without_unit(money[1] + money[3])
        return (amount, currency) if unit in (currency, "") else (money[1] + money[3], currency)
    if sign := _SIGN_AT_END.fullmatch(text):
        return sign[1].strip(), "¢" if "cent" in sign[2] else sign[2].lstrip("\\") + (sign[3] or "")
    ended = _TEXT_AT_END.fullmatch(text)
    if ended is None and (ended := _WORDS_AT_END.fullmatch(text)) and len(ended[2]) == 1:
        return text, ""  # a letter
    words = "".join(ended.groups("")[1:]).replace(" ^", "^") if ended else ""
    found = read_unit(words)
    return (
        (ended[1].strip(), found.name)
        if ended and found and not words[found.end :].strip(" .")
        else (text, "")
    )


def _stated(text: str, unit: str) -> Formula:
    parts = latex.members(text)
    if len(parts) > 1:
        named = [_stated(part, "") for part in parts]
        names = {one.name for one in named if one.name}
        one_name = len(names) == 1 and named[0].name and not any(one.claims or one.chained for one in named)
        if one_name and len({bool(one.name) for one in named[1:]}) == 1:
            return Formula(text, unit, named[0].name, " , ".join(one.value for one in named))
        return Formula(text, unit, value=text)
    if inside := _MEMBERSHIP.fullmatch(text):
        return Formula(text, unit, inside[1], inside[2])
    return _equation(text, latex.sides(text), unit)


def _equation(text: str, sides: list[str], unit: str) -> Formula:
    if len(sides) == 1 or not all(sides):
        return Formula(text, unit, value=text)
    if len(sides) == 2 and _is_name(sides[1]) and latex.letters(sides[1]) and not latex.letters(sides[0]):
        sides = sides[::-1]
    first, value = sides[0], sides[-1]
    name = first if _is_name(first) else ""
    claims = tuple(side for side in sides[bool(name) : -1] if not latex.letters(side))
    if name and len(sides) > 2 and latex.letters(value) and len(claims) > 0:
        return Formula(text, unit, value=text, chained=True)  # x = 6 = y
    if name:
        return Formula(f"{name} = {value}", unit, name, value, claims)
    if latex.letters(first):
        return Formula(text, unit, value=text, claims=claims if len(sides) > 2 else (), chained=True)
    lettered = len(claims) < len(sides) - 1 or bool(latex.letters(value))
    return (
        Formula(text, unit, value=text, chained=True)
        if lettered
        else Formula(value, unit, value=value, claims=claims)
    )


def _is_name(side: str) -> bool:
    """Return whether a side is a symbol, or words that neither turn nor scale."""
    words = side.split() if _WORD_NAME.fullmatch(side) else []
    return all(names_thing(word) for word in words) if words else _NAME.fullmatch(side) is not None


def alternatives(value: str) -> list[str]:
    r"""Return what a bare list or a set enumerates, both values of ``2 \pm 1`` one by one; the value alone otherwise."""
    braces = value.startswith("\\{") and value.endswith("\\}") and value.count("\\{") == 1
    found = latex.members(value[2:-2]) if braces else latex.members(value)
    return [one for part in found for one in _both_signs(part)]


def _both_signs(part: str) -> list[str]:
    if len(_PLUS_OR_MINUS.findall(part)) != 1 or "\\mp" in part:
        return [part]
    plus, minus = (_PLUS_OR_MINUS.sub(sign, part).strip() for sign in ("+", "-"))
    return [plus.removeprefix("+"), minus]


def is_tuple(value: str) -> bool:
    """Return whether one pair of parentheses holds several members."""
    depths = list(accumulate((c in "([{") - (c in ")]}") for c in value))
    enclosed = value[:1] == "(" and value[-1:] == ")" and 0 not in depths[:-1]
    return enclosed and len(latex.members(value[1:-1])) > 1


def exact_value(text: str) -> Fraction | None:
    """Return the value of a numeral, a fraction or a mixed number; ``None`` for every other formula."""
    text = text.strip()
    if numeral := _NUMERAL.fullmatch(text):
        sign, digits, places, power = numeral.groups()
        if digits or (places or ".") != ".":
            value = Fraction(f"{digits or '0'}{places or ''}") * Fraction(10) ** int(power or "0")
            return -value if sign == "-" else value
    if (ratio := _RATIO.fullmatch(text) or _SLASH.fullmatch(text)) and int(ratio[4]):
        value = int(ratio[2] or "0") + Fraction(int(ratio[3]), int(ratio[4]))
        return -value if ratio[1] == "-" else value
    return None
