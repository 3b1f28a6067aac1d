"""Plain text: the same characters for the same thing, whatever the model's typography."""

import re
import unicodedata

from adastar_core.verifiers.markup import without_marks
from adastar_core.verifiers.number_words import LENGTHS

_MINUS = "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"
_SPACES = "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True))
_VULGAR = {c: unicodedata.normalize("NFKC", c).replace("\u2044", "/") for c in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅐⅑⅒"}


def _table() -> dict[int, str | None]:
    wide: dict[int, str | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    wide |= {**{ord(c): "-" for c in _MINUS}, **{ord(c): " " for c in _SPACES}}
    wide |= {ord(c): f" {text}" for c, text in _VULGAR.items()}
    wide |= {ord(c): text for c, text in zip("\u2044\u2215’‘“”", "//''\"\"", strict=True)}
    return wide | {ord(c): None for c in "\u200b\u200c\u200d\u2060\ufeff\u00ad"}


_TABLE = _table()
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_SUPERSCRIPT = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_UNIT_POWER = re.compile(
    rf"(?<![A-Za-z])({LENGTHS}|(?<=/)(?:s|sec|h|hr))\s{{0,2}}(?:\^\s?(?:\{{[23]\}}|[23])|(?<=[a-z])[23](?!\w|[.,]\d))"
)
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*([^{}]*?)\s*\}\s*\{\s*([^{}]*?)\s*\}|(\d)\s*(\d))")
_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|boxed|fbox|emph)\s*\{([^{}]*)\}"
)
_LATEX_WORDS = [
    (re.compile(r"\\[,;:!> ]|\\q?quad\b|~"), " "),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\(?:left|right|displaystyle)\b"), ""),
    (re.compile(r"\\[()\[\]]"), "$"),
    (re.compile(r"\\([%$#&_{}])"), r"\1"),
    (re.compile(r"\\(?:times|cdot)\b"), "×"),
    (re.compile(r"\^\s*\{?\\circ\b\}?|\\degree\b"), "°"),
    (re.compile(r"\\(?:pounds|euro)\b"), "£"),
]


def plain(text: str) -> str:
    """Return ``text`` in ASCII where it has an equivalent there, without markup and special tokens.

    Digits of every script, minus signs, spaces and quotes become ASCII; vulgar fractions become ``1/2``,
    superscripts ``^{3}``, powers of lengths are dropped; LaTeX text wrappers and simple fractions are resolved.
    """
    text = without_marks(text if text.isascii() else plain_characters(text))
    if "\\" in text or "{" in text:
        text = _without_latex(text)
    return _UNIT_POWER.sub(r"\1", text) if "2" in text or "3" in text else text


def plain_characters(text: str) -> str:
    """Return ``text`` with ASCII digits, signs, spaces and quotes, and superscripts as ``^{3}``."""
    text = _SUPERSCRIPT.sub(lambda match: f"^{{{''.join(map(_SUPERSCRIPTS.__getitem__, match[0]))}}}", text)
    return _OTHER_DIGIT.sub(lambda match: str(unicodedata.decimal(match[0])), text).translate(_TABLE)


def _without_latex(text: str) -> str:
    for _ in range(3):
        text = _WRAPPER.sub(r" \1 ", text)
    text = _FRACTION.sub(_fraction, text)
    for pattern, replacement in _LATEX_WORDS:
        text = pattern.sub(replacement, text)
    return text


def _fraction(match: re.Match[str]) -> str:
    above, below = (match[1], match[2]) if match[3] is None else (match[3], match[4])
    whole_before = match.start() > 0 and match.string[match.start() - 1].isdigit()
    return f"{' ' if whole_before else ''}{above}/{below}"
