"""Formulas as text: one spelling for the parser, and what must not reach it because it would misread it."""

import re
from dataclasses import dataclass
from itertools import accumulate

from adastar_core.verifiers.declarations import LONGEST
from adastar_core.verifiers.plain import plain_characters
from adastar_core.verifiers.tidy import tidy

_DEEPEST = 12
_SENTENCE_END = re.compile(r"[.;?](?=\s|$)|,?\s(?:because|since|as|where|so|which)\s")
_MATHS = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_BOXED = re.compile(r"\\f?box(?:ed)?\s*\{(.*)\}", re.DOTALL)
_SPACING = re.compile(
    r"(?<!\\)\\(?:[,;:!> ]|q?quad\b|left\b|right\b|[bB]igg?[lr]?\b|displaystyle\b|limits\b)|~"
)
_NAMES = "pi|theta|alpha|beta|gamma|lambda|mu|sigma|phi|omega|infty|sin|cos|tan|cot|sec|csc|log|ln|exp|arcsin|arccos|arctan"
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\[dtc]frac\b"), r"\\frac"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"\\frac\s*(\{[^{}]*\})\s*(\d)"), r"\\frac\1{\2}"),
    (re.compile(r"\\?\bsqrt\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"\\sqrt\s*(\d)"), r"\\sqrt{\1}"),
    (re.compile(rf"(?<![\\A-Za-z])({_NAMES})(?![A-Za-z])"), r"\\\1"),
    (re.compile(r"(?<![\\A-Za-z])(?:infinity|inf)(?![A-Za-z])"), r"\\infty"),
    (re.compile(r"(?<=[\w)])\s?\*\*\s?(?=[\w({-])"), "^"),
    (re.compile(r"\^\s?\(([^()]*)\)"), r"^{\1}"),
    (re.compile(r"\^\s?(-?\d\d+)"), r"^{\1}"),
    (re.compile(r"(?<=\d)\s?\*\s?(?=[\w\\(])|(?<=[\w)])\s\*\s(?=[\w\\(])|(?<=\))\*(?=\()"), r" \\cdot "),
    # The parser takes 2(3) for the mixed number 2 + 3, so products of brackets are spelt out.
    (re.compile(r"((?<![_^\d])\d+|\))\s*(?=\()"), r"\1 \\cdot "),
    (re.compile(r"\)\s*(?=\d|\\frac)"), r") \\cdot "),
    (re.compile(r"(?<=\d)i\b"), " i"),
    (re.compile(r"\+\s*-"), "-"),
    (
        re.compile(
            r"\\(?:mathrm|text|textbf|mathbf|operatorname)\s*\{\s*(?:and|or)\s*\}|(?<![A-Za-z])(?:and|or)(?![A-Za-z])"
        ),
        ",",
    ),
    (re.compile(r"(?:,\s*){2,}"), ", "),
    (re.compile(r"\\(?:degree|circ)\b|\^\s?\{?\\circ\}?"), "°"),
)
_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox)\s*\{([^{}]*)\}")
_WITH_UNIT = re.compile(
    r"(.*[\w)}\]%])\s*\\(?:text|textbf|textrm|mathrm|mbox)\s*\{\s*([A-Za-z][^{}\d]*?)\s*\}(?:\^\{?[23]\}?)?",
    re.DOTALL,
)
_NUMBER_WITH_UNIT = re.compile(
    r"([-+$€£]*[\d.,/]+|[-+]?\d*\s?\\frac\{-?\d+\}\{\d+\})\s?([a-z]{2,}(?: [a-z]{2,})?)(?:\^\{?[23]\}?)?",
    re.IGNORECASE,
)
_NUMERAL = re.compile(
    r"[-+]?\s?[$€£]?\s?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s?/\s?\d+)?\s?(?:\\?%)?|[-+]?\d*\s?\\frac\{-?\d+\}\{\d+\}"
)
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_SYMBOLS = str.maketrans(
    {"π": r"\pi ", "∞": r"\infty ", "×": r"\times ", "·": r"\cdot ", "≤": r"\le ", "≥": r"\ge "}
    | {"÷": "/", "√": r"\sqrt", "∪": r"\cup "}
)
_UNREADABLE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\(?:[lc]?dots|vdots)\b|\.\.|…"), "an ellipsis"),
    (re.compile(r"(?<!\\):"), "a ratio or a time"),
    (re.compile(r"'|\\prime\b"), "a prime"),
    (re.compile(r"\d\s*_"), "a number with an index"),
    (re.compile(r"(?<![_^\d])\d+\s+\d"), "two numbers side by side"),
    (re.compile(r"(?<![_^\d])\d+\s*[{\[]|(?:^|[-+*/=(,]\s*)\{|\\\}\s*\d"), "numbers in braces side by side"),
    (re.compile(r"^-?0\d*,\d+$"), "a comma after a zero"),
    (
        re.compile(
            r"\\(?:forall|exists|approx|sim|simeq|equiv|pmod|bmod|mod|not|neq|ne|neg|mapsto|to)\b|≈|≠"
        ),
        "a relation",
    ),
    (re.compile(r"\n|\\\\(?!.*\\end)"), "several lines"),
    (re.compile(r"°"), "degrees"),
)
_LIMIT = re.compile(r"\\lim\s*_\s*\{\s*[a-z]\s*\\to\b[^{}]*\}")
_COMMAND = re.compile(r"\\(?:begin|end)\{\w+\}|\\[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]{3,}")


@dataclass(frozen=True, slots=True)
class Formula:
    """What X states: a formula in one spelling, and the unit that follows it."""

    latex: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.latex} {self.unit}".strip()


def read_latex(text: str) -> Formula:
    """Return the formula that X states, without delimiters, markup and what follows it."""
    body = _body(text.strip().strip("*_ ")[:LONGEST])
    while match := _BOXED.fullmatch(body.strip()):
        body = match[1]
    body = (
        _SPACING.sub(" ", plain_characters(body).translate(_SYMBOLS)).replace("{,}", ",").replace("\\$", "$")
    )
    for pattern, replacement in _REWRITES:
        body = pattern.sub(replacement, body)
    body = " ".join(body.split()).strip("*_ ").removesuffix(".").strip(" ,")
    match = _WITH_UNIT.fullmatch(body) or _NUMBER_WITH_UNIT.fullmatch(body)
    latex, unit = (match[1], match[2]) if match else (body, "")
    for _ in range(2):
        latex = _TEXT.sub(r" \1 ", latex)
    latex = latex.replace(",", "") if _GROUPED.fullmatch(latex) else latex
    return Formula(" ".join(latex.split()), " ".join(unit.split()))


def _body(text: str) -> str:
    """Return the one formula between delimiters with the words after it, or else all that is said of it."""
    inside = [next(filter(None, match.groups())) for match in _MATHS.finditer(text)]
    outside = _MATHS.sub(" ", text)
    if len(inside) == 1 and not re.search(r"[\d+\-=/^]", outside):
        words = _first_sentence(outside).split()
        return f"{inside[0]} \\text{{{' '.join(words)}}}" if 0 < len(words) <= 2 else inside[0]
    return _first_sentence(_MATHS.sub(lambda match: next(filter(None, match.groups())), text))


def _first_sentence(text: str) -> str:
    end = _SENTENCE_END.search(text, 1)
    return text[: end.start()] if end else text


def is_number(formula: Formula) -> bool:
    return _NUMERAL.fullmatch(formula.latex) is not None


def unreadable(text: str) -> str | None:
    """Return what in a formula a parser would drop or misread, or ``None``."""
    depths = accumulate((character in "([{") - (character in ")]}") for character in text)
    if max(depths, default=0) > _DEEPEST:
        return "deeply nested brackets"
    text = _LIMIT.sub(" ", text)
    found = next((what for pattern, what in _UNREADABLE if pattern.search(text)), None)
    return found or ("words" if _WORD.search(_COMMAND.sub(" ", text)) else None)


def words_only(text: str) -> bool:
    """Return whether a formula is no formula but a name, e.g. ``east``."""
    return bool(_WORD.search(text)) and re.fullmatch(r"[A-Za-z' ()-]+", text) is not None


def same_spelling(one: str, other: str) -> bool:
    """Return whether two formulas are one text but for spaces and needless brackets."""
    return _squeezed(one) == _squeezed(other)


def _squeezed(text: str) -> str:
    squeezed = re.sub(r"\s+", "", re.sub(r"(?<=[A-Za-z0-9])\s+(?=[A-Za-z0-9])", "\x00", tidy(text)))
    squeezed = re.sub(r"([_^])\{(\w)\}", r"\1\2", squeezed)
    bare = squeezed[1:-1]
    return (
        bare if squeezed[:1] == "(" and squeezed[-1:] == ")" and not re.search(r"[(),]", bare) else squeezed
    )


def letters(text: str) -> tuple[str, ...]:
    """Return the variables of a formula, in alphabetical order and with their case."""
    return tuple(sorted(set(re.findall("[A-Za-z]", _COMMAND.sub(" ", text)))))
