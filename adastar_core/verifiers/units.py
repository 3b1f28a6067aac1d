"""What a formula's number counts: units and the names of things, by a closed grammar.

A unit is a word of the table, or one to three content words that end in a plural (``red marbles``), perhaps with ``square``, ``per``
or ``of``. Words that scale, compare or turn a number (``million``, ``squared``, ``or``) are none.
"""

import re
from typing import NamedTuple

from adastar_core.verifiers.number_words import SCALES, Role, role

_TABLE = {
    spelling: unit
    for unit, spellings in {
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "dm": "dm decimeter decimeters decimetre decimetres",
        "m": "m meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres",
        "in": "in inch inches",
        "ft": "ft foot feet",
        "yd": "yd yds yard yards",
        "mi": "mi mile miles",
        "mg": "mg milligram milligrams",
        "g": "g gram grams",
        "kg": "kg kilogram kilograms",
        "lb": "lb lbs pound pounds",
        "oz": "oz ounce ounces",
        "ml": "ml mL milliliter milliliters millilitre millilitres",
        "L": "l L liter liters litre litres",
        "s": "s sec secs second seconds",
        "min": "min mins minute minutes",
        "h": "h hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years",
        "mi/h": "mph",
        "km/h": "kph kmh",
        "°": "degree degrees deg",
        "rad": "rad radian radians",
        "%": "percent",
        "$": "dollar dollars USD",
        "¢": "cent cents",
        "€": "euro euros EUR",
        "am": "am AM",
        "pm": "pm PM",
        "unit": "unit units",
        "person": "person people persons",
        "man": "man men",
        "woman": "woman women",
        "child": "child children",
        "N": "N newton newtons",
        "J": "J joule joules",
        "W": "W watt watts",
        "V": "V volt volts",
        "way": "way ways",
    }.items()
    for spelling in spellings.split()
}
_NO_NOUNS = frozenset(("all", "each", "more", "fewer", "only", "both", "left", "now", "back", "them", "here"))
_WORD = re.compile(r"[\s~]*([A-Za-z]+)(?![A-Za-z0-9'’(=\\])(\^\{?[23]\}?)?(?:\.(?=\s?[a-z]))?")
_POWERS = {"square": "^2", "sq": "^2", "cubic": "^3", "cu": "^3"}
_CLOCK = re.compile(r"\s*([ap])\.?\s?m\b\.?", re.IGNORECASE)
_SIGN = re.compile(r"\s*\\?([%°¢€£])")
_MOST_WORDS = 6


class Unit(NamedTuple):
    """A unit in one spelling, and where it ends in the text that was read."""

    name: str
    end: int


def read_unit(text: str) -> Unit | None:
    """Read the longest unit at the beginning of a text."""
    if clock := _CLOCK.match(text):
        return Unit(f"{clock[1].lower()}m", clock.end())
    if sign := _SIGN.match(text):
        return Unit(sign[1], sign.end())
    words: list[str] = []
    ends: list[int] = []
    at = 0
    while len(words) < _MOST_WORDS and (word := _WORD.match(text, at)):
        at = word.end()
        words.append(word[1] + (word[2] or "").replace("{", "").replace("}", ""))
        slash = at < len(text) and text[at] == "/"
        ends.append(at)
        if slash:
            words.append("per")
            ends.append(at)
            at += 1
    for count in range(len(words), 0, -1):
        if (name := _name(words[:count])) and not (name == "in" and len(words) > 1):  # in total
            return Unit(name, ends[count - 1])
    return None


def names_thing(word: str) -> bool:
    """Return whether a word can be a part of a name: ``area`` or ``of``, but not ``not``, ``than`` or ``half``."""
    return word in ("the", "of", "for") or word.isupper() or _is_noun(word)


def _name(words: list[str]) -> str:
    """Return these words as one unit; empty if they are none."""
    if "per" in words:
        split = words.index("per")
        above, below = _name(words[:split]), _name(words[split + 1 :]) or _thing(words[split + 1 :])
        return f"{above}/{below}" if above and below else ""
    if "of" in words:
        split = words.index("of")
        return _name(words[:split]) if _thing(words[split + 1 :]) else ""
    if words and (power := _POWERS.get(words[0].lower())):
        base = _name(words[1:])
        return f"{base}{power}" if base and "^" not in base else ""
    if len(words) == 1:
        base, caret, power = words[0].partition("^")
        known = _TABLE.get(base) or (_TABLE.get(base.lower()) if len(base) > 2 else None)
        if known:
            return known + caret + power
    return _thing(words) if words and _is_plural(words[-1]) else ""


def _thing(words: list[str]) -> str:
    """Return one to three content words without the plural's ending."""
    fit = 0 < len(words) <= 3 and all(map(_is_noun, words))
    return " ".join(words).lower().removesuffix("s") if fit else ""


def _is_noun(word: str) -> bool:
    """Return whether a word is none of a closed class: then it can only say of what."""
    lower = word.lower()
    return (
        word.isalpha()
        and role(word) is Role.UNIT
        and len(word) > 2
        and lower not in _NO_NOUNS | SCALES.keys()
    )


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is", "ths")) and word.islower()
