"""LaTeX and expressions as text: one spelling for the parser, and what must not reach it because it would misread it."""

import re
from itertools import accumulate, pairwise

from adastar_core.verifiers.markup import without_marks
from adastar_core.verifiers.plain import plain_characters

_DEEPEST = 12
_SPACING = re.compile(
    r"(?<!\\)\\(?:[,;:!> ]|q?quad\b|left\b|right\b|[bB]igg?[lr]?\b|(?:display|text)style\b|limits\b|no(?:number|tag)\b)|~"
    r"|\\(?:label|tag|color|phantom|[hv]space|style)\*?\s*\{[^{}]*\}|\\(?:bf|rm|it|large|Large|boldsymbol)\b"
)
_THOUSANDS = re.compile(r"(?<=\d)\s?(?:,\s?\\!|\\!\s?,|\{,\}(?:\\!)?|,?\\,)\s?(?=\d{3}(?!\d))")
_NAMES = "pi|theta|alpha|beta|gamma|lambda|mu|sigma|phi|omega|infty|sin|cos|tan|cot|sec|csc|log|ln|exp|arcsin|arccos|arctan"
_WRAP = r"\\(?:text(?:bf|it|rm|sf|tt|up)?|math(?:rm|bf|it|sf|normal)|mbox|operatorname|emph)\*?"
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*\{"), r"\\frac{\1}{"),
    (re.compile(r"\\frac\s*(\{[^{}]*\})\s*(\d)"), r"\\frac\1{\2}"),
    (re.compile(r"\\?\bsqrt\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"\\sqrt\s*(\d)"), r"\\sqrt{\1}"),
    (re.compile(rf"(?<![\\A-Za-z])({_NAMES})(?![A-Za-z])"), r"\\\1"),
    (re.compile(r"(?<![\\A-Za-z])(?:infinity|inf)(?![A-Za-z])"), r"\\infty"),
    (re.compile(r"\\l(?:eq|eqslant)\b|<="), r"\\le "),
    (re.compile(r"\\(?:geq|geqslant)\b|>="), r"\\ge "),
    (re.compile(r"(?<=[\w)])\s?\*\*\s?(?=[\w({-])"), "^"),
    (re.compile(r"\^\s?\(([^()]*)\)"), r"^{\1}"),
    (re.compile(r"\^\s?(-?\d\d+)"), r"^{\1}"),
    (re.compile(r"(?<=\d)\s?\*\s?(?=[\w\\(])|(?<=[\w)])\s\*\s(?=[\w\\(])|(?<=\))\*(?=\()"), r" \\cdot "),
    # The parser takes 2(3) for the mixed number 2 + 3, so products of brackets are spelt out.
    (re.compile(r"((?<![_^\d])\d+|\))\s*(?=\()"), r"\1 \\cdot "),
    (re.compile(r"\)\s*(?=\d|\\frac)"), r") \\cdot "),
    (re.compile(r"(?<=\d)i\b"), " i"),
    (re.compile(r"\+\s*-"), "-"),
    (re.compile(r"\\varnothing\b|\\\{\s*\\\}"), r"\\emptyset "),
    (
        re.compile(rf",?\s*(?:{_WRAP}\s*\{{\s*,?\s*(?:and|or)\s*\}}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z]))"),
        " , ",
    ),
    (re.compile(r"\^\s?\{?\s?\\(?:circ|degree)\b\s?\}?|\\degree\b"), "°"),
)
"""Spellings that the parser does not know, or takes for something else."""

_REPEATING = re.compile(r"(?<![\w.])(\d*)\.(\d*)\\(?:overline|bar)\s*\{(\d+)\}")
_TEXT = re.compile(rf"{_WRAP}\s*\{{([^{{}}]*)\}}")
_GROUPED = re.compile(r"(?<![\d.])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
_SYMBOLS = str.maketrans(
    {"π": r"\pi ", "∞": r"\infty ", "×": r"\times ", "·": r"\cdot ", "≤": r"\le ", "≥": r"\ge "}
    | {
        "÷": "/",
        "√": r"\sqrt",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∅": r"\emptyset ",
        "±": r"\pm ",
        "θ": r"\theta ",
    }
)
_LAYOUT = re.compile(
    r"\\(?:begin|end)\{(?:align|equation|gather|aligned|split|gathered|multline|displaymath|math|eqnarray|alignat)\*?\}(?:\{\d+\})?"
)
_GRID = re.compile(r"\\begin\{(?:[a-zA-Z]*matrix|cases|array)\}")
_UNREADABLE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\\(?:[lc]?dots|vdots)\b|\.\.|…"), "an ellipsis"),
    (re.compile(r"(?<!\\):"), "a ratio or a time"),
    (re.compile(r"'|\\prime\b"), "a prime"),
    (
        re.compile(
            r"\\(?:vec|(?:wide)?hat|bar|overline|d?dot|(?:wide)?tilde|over(?:left|right|leftright)?arrow|overrightarrow|underline)\b"
        ),
        "a mark over a letter",
    ),
    (re.compile(r"\d\s*_"), "a number with an index"),
    (re.compile(r"(?<![_^\d])\d+\s+\d"), "two numbers side by side"),
    (re.compile(r"\d\{,\}"), "a comma within a number"),
    (re.compile(r"(?<![_^\d])\d+\s*[{\[]|(?:^|[-+*/=(,]\s*)\{|\\\}\s*\d"), "numbers in braces side by side"),
    (re.compile(r"^-?0\d*,\d+$"), "a comma after a zero"),
    (re.compile(r"^\([A-Z]\)\s*\\cdot|^\([A-Z]\)\s*[\w\\$]"), "an option's label beside its text"),
    (
        re.compile(
            r"\\(?:forall|exists|approx|sim|simeq|equiv|pmod|bmod|mod|not|neq|ne|neg|mapsto|to|Rightarrow|implies)\b|≈|≠"
        ),
        "a relation",
    ),
    (re.compile(r"\n|\\\\(?!.*\\end)"), "several lines"),
    (re.compile(r"°"), "degrees"),
)
_LIMIT = re.compile(r"\\lim\s*_\s*\{\s*[a-z]\s*\\to\b[^{}]*\}")
_COMMAND = re.compile(r"\\(?:begin|end)\{\w+\}|\\[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]{3,}")


def one_spelling(text: str) -> str:
    """Return a formula without markup and layout, its numbers and functions in the parser's spelling."""
    text = without_marks(plain_characters(text)).translate(_SYMBOLS)
    text = _SPACING.sub(" ", _THOUSANDS.sub("", text))
    text = _one_line(text) if "\\\\" in text or "&" in text or "\\begin" in text else text
    text = _REPEATING.sub(_fraction_of, text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def _one_line(text: str) -> str:
    """Return a displayed formula without its alignment; a line that begins with a relation continues the one before."""
    text = _LAYOUT.sub(" ", text)
    if _GRID.search(text):
        return text
    lines = [line.strip() for line in text.replace("&", " ").split("\\\\") if line.strip()]
    return "".join(
        line if number == 0 or line[0] == "=" else f" \\\\ {line}" for number, line in enumerate(lines)
    )


def _fraction_of(match: re.Match[str]) -> str:
    whole, start, period = match.groups()
    above = int(whole + start + period) - int(whole + start or "0")
    return f"\\frac{{{above}}}{{{'9' * len(period)}{'0' * len(start)}}}"


def without_text(latex: str) -> str:
    r"""Return ``east`` for ``\text{east}``."""
    for _ in range(2):
        latex = _TEXT.sub(r" \1 ", latex)
    return " ".join(latex.split())


def without_thousands(latex: str) -> str:
    """Return a formula without the commas of its numbers: where each comma without a space is one, it has no other meaning."""
    if "," not in latex:
        return latex
    shallow = _shallow_commas(latex)
    groups = {comma for number in _GROUPED.finditer(latex) for comma in _commas_in(number)}
    if not groups or any(at not in groups for at in shallow if latex[at + 1 : at + 2].strip()):
        return latex
    return "".join(c for at, c in enumerate(latex) if at not in groups or at not in shallow)


def _commas_in(match: re.Match[str]) -> list[int]:
    return [match.start() + at for at, c in enumerate(match[0]) if c == ","]


def _shallow_commas(latex: str) -> list[int]:
    """Return where commas stand outside of all brackets."""
    depths = accumulate((c in "([{") - (c in ")]}") for c in latex)
    return [at for at, (c, depth) in enumerate(zip(latex, depths, strict=True)) if c == "," and depth == 0]


def members(latex: str) -> list[str]:
    """Return what a bare list enumerates; the formula alone where it is none."""
    if "," not in latex:
        return [latex]
    cuts = [-1, *_shallow_commas(latex), len(latex)]
    parts = [latex[start + 1 : end].strip() for start, end in pairwise(cuts)]
    return [part for part in parts if part]


def sides(latex: str) -> list[str]:
    """Return the sides of an equation or a chain of them; the formula alone where it is none."""
    if "=" not in latex:
        return [latex]
    depths = accumulate((c in "([{") - (c in ")]}") for c in latex)
    cuts = [at for at, (c, depth) in enumerate(zip(latex, depths, strict=True)) if c == "=" and depth == 0]
    if any(latex[at - 1 : at] in ("<", ">", "!", ":") for at in cuts):
        return [latex]
    edges = [-1, *cuts, len(latex)]
    return [latex[start + 1 : end].strip() for start, end in pairwise(edges)]


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
    return squeezed(one) == squeezed(other)


def squeezed(text: str) -> str:
    """Return a formula without its spaces, but for those between numbers or letters, and without needless brackets."""
    tight = re.sub(r"\s+", "", re.sub(r"(?<=[A-Za-z0-9])\s+(?=[A-Za-z0-9])", "\x00", text))
    tight = re.sub(r"([_^])\{(\w)\}", r"\1\2", tight)
    bare = tight[1:-1]
    return bare if tight[:1] == "(" and tight[-1:] == ")" and not re.search(r"[(),]", bare) else tight


def letters(text: str) -> tuple[str, ...]:
    """Return the variables of a formula, in alphabetical order and with their case."""
    return tuple(sorted(set(re.findall("[A-Za-z]", _COMMAND.sub(" ", text)))))
