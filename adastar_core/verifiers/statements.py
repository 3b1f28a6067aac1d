r"""Reading X, a line of prose and formulas, as one formula: known words, the formula, its unit, and the rest unread.

``exactly $6$ cm, since …`` has the word *exactly* before its formula, *cm* after it, and leaves ``, since …``. Whatever begins with
other words, e.g. ``more than $6$``, is read as words, or not at all.
"""

import re
from typing import NamedTuple

from adastar_core.verifiers.declarations import BOXED, LONGEST, TAGGED, Declared
from adastar_core.verifiers.units import read_unit


class Statement(NamedTuple):
    """A declaration's formula as it is written, its unit, what of the declaration both are not, and why it cannot be read."""

    written: str
    unit: str = ""
    rest: str = ""
    trouble: str = ""


_LEAD_WORDS = """the a an then therefore thus so now indeed exactly just simply precisely approximately approx. about around roughly
    number value integer fraction expression formula polynomial pair ordered triple tuple set interval matrix vector equation
    line function solution solutions root roots answer answers final real complex rational distinct equals is are be
    values numbers"""
_LEAD = re.compile(
    rf"(?:(?:{'|'.join(re.escape(word) for word in _LEAD_WORDS.split())})(?:[\s,]+|(?=[$\\:]))"
    r"|equal\s+to(?:\s+|(?=[$\\:]))|given\s+by(?:\s+|(?=[$\\:]))|of\s+(?:\$[A-Za-z](?:\([A-Za-z]\))?\$|[A-Za-z](?:\([A-Za-z]\))?)\s+(?=is\b|equals\b|=)|total\s+of\s+|points?\s+(?=\$?\(|\\\(\()|:\s*)*",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[\s*_~“\"]*")
_DASH = re.compile(r"[-–—−]\s+\S")
_LAYOUTS = "align|equation|gather|aligned|split|gathered|multline|displaymath|math|eqnarray|alignat"
_BLOCK = re.compile(
    rf"""\$\$(.+?)\$\$ | (?<!\\)\$(?!\$)((?:[^$\\]|\\.)+?)\$ | \\\((.+?)\\\) | \\\[(.+?)\\\] | ```\w*\n(.+?)``` | `([^`\n]+)`
    | (\\begin\{{(?P<layout>(?:{_LAYOUTS})\*?)\}}.+?\\end\{{(?P=layout)\}})""",
    re.DOTALL | re.VERBOSE,
)
_FUNCTIONS = "pi|theta|alpha|beta|gamma|lambda|mu|sigma|phi|omega|sqrt|sin|cos|tan|cot|sec|csc|log|ln|exp|arcsin|arccos|arctan|infinity|inf"
_BARE = re.compile(
    rf"""\\(?:text\w*|mbox|math(?:rm|bf|it|sf)|operatorname)\s*\{{[^{{}}]*\}}
    | \\begin\{{(?P<grid>[a-zA-Z]*matrix|cases|array)\}}.*?\\end\{{(?P=grid)\}}
    | \\[A-Za-z]+(?:\s*\{{[A-Za-z*]+\}})? | \\[{{}}|,;:!%$\s]
    | \d+(?:[.,]\d+)* | \.\d+ | \.\.\.
    | [-+*/^_=<>|()\[\]{{}}!&%°±×·÷≤≥≠≈∈∪∩√π∞∅θ…'−½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞²³⁴⁵⁶⁷⁸⁹⁰¹⁻$€£¢]
    | ,(?=[\s\d\\($-]) | :(?=\S) | (?<![A-Za-z])(?:{_FUNCTIONS}|and|or)(?![A-Za-z])
    | (?<=\d)[a-z]{{2}}(?=\s*[-+*^=/)]|[\s.]*$)(?<!cm|km|mm|kg|mg|ft|in|lb|oz|am|pm|mi|yd|hr)
    | (?<![A-Za-z])[A-Za-z](?![A-Za-z]|['’.][A-Za-z]) | (?<![A-Za-z])[A-Za-z]{{2,3}}(?=\s*[-+*^=]\s*[\d\\(a-z](?![a-z]{{2}}))
    | \s+""",
    re.VERBOSE | re.DOTALL,
)
_LOOSE = re.compile(r"[\s,*_:&\-–—(\[$]+|\\[,;:!\s\\]|and|or")
_UNIT_IN_MATHS = re.compile(
    r"\s*(?:\\[,;: ]\s*)?(?:\\(?:text(?:bf|rm|it)?|mathrm|mbox)\s*\{[^{}]*\}(?:\^\{?[23]\}?)?|\\%|\^\s?\{?\\circ\}?|°)"
)
_GOES_ON = re.compile(r"\s*(?:!\s*(?:\$|\\[)\]]|[-+*/^=!])|\|\s*\$|'\s*(?:\$|\\[)\]]))|\|")
_CLOSERS = re.compile(r"[\s$*_]*(?:\\[)\]])?[\s*]*")
_BOX = re.compile(r"\\f?box(?:ed)?\s*\{")
_BEFORE_BOX = re.compile(
    r"(?:.*(?:\\Rightarrow|\\implies|\\therefore|∴)|(?:\\(?:displaystyle|quad|qquad)\b|[\s&:])*)\s*",
    re.DOTALL,
)
_AFTER_BOX = re.compile(rf"(?:[\s.,;&]|\\\\|\\[,;! ]|\\end\{{(?:{_LAYOUTS})\*?\}})*")
_OPENING = re.compile(rf"\s*(?:\\begin\{{(?:{_LAYOUTS})\*?\}}\s*)*")
_WORDS = re.compile(r"[A-Za-z][A-Za-z'’()-]*(?:[ ]+[A-Za-z(][A-Za-z'’()-]*)*")
_WORDS_END = re.compile(r"[ ](?:because|since|as|so|which|where)[ ]")
MOST_WORDS = 4
"""More are prose."""

_ANOTHER_BOX = re.compile(
    r"[\s$*\\)\]]*(?:[,;&]|and\b|or\b|\\text\{\s*(?:and|or)\s*\})"
    r"(?!.*\b(?:so|thus|therefore|hence|then|answer|which|giving|but|actually|wait)\b)[^.!?\n]*\\f?box"
)


def read_statement(declared: Declared) -> Statement | None:
    """Return what is stated; ``None`` where it is prose."""
    displayed = declared.pattern != TAGGED and declared.end - declared.start > len(declared.text)
    if declared.pattern == BOXED or displayed:
        return _whole(declared.text, declared.following)
    text = declared.text[:LONGEST]
    begin = _MARKUP.match(text).end()  # type: ignore[union-attr]  # it matches the empty text
    if _DASH.match(text, begin):
        return Statement(text, trouble="the declared answer begins with a dash, which may be a minus")
    lead = _LEAD.match(text, begin).end()  # type: ignore[union-attr]
    found = _formula(text, lead)
    if found is None and lead > begin:
        found = _formula(text, begin)  # its first letter is no article
    return found or _words(text, begin)


def _whole(inside: str, following: str) -> Statement:
    """Read what stands in a box or a displayed formula, which is one formula, with the unit behind it."""
    if len(inside) > LONGEST:
        return Statement(inside[:80], trouble=f"the declared answer is longer than {LONGEST} characters")
    if _GOES_ON.match(following):
        return Statement(inside, trouble="the declared answer is a part of a larger formula")
    block = _BLOCK.fullmatch(inside.strip())
    inside, unit, rest = _content(block) if block else inside, "", following
    if sign := _UNIT_IN_MATHS.match(following):
        inside, rest = f"{inside} {sign[0]}", following[sign.end() :]
    elif following:
        closed = _CLOSERS.match(following).end()  # type: ignore[union-attr]
        if words := read_unit(following[closed:]):
            unit, rest = words.name, following[closed + words.end :]
    if _ANOTHER_BOX.match(following):
        rest = ""  # one of several answers, which contradict one another
    return _without_lead(Statement(inside, unit, rest))


def _without_lead(stated: Statement) -> Statement:
    r"""Return ``6`` for ``\text{The answer is }6``."""
    told = re.match(r"\s*\\text\{\s*(?:[Tt]he\s+)?(?:final\s+)?answer\s*(?:is|:)\s*\}", stated.written)
    return stated._replace(written=stated.written[told.end() :]) if told else _without_box(stated)


def _content(block: re.Match[str]) -> str:
    return next(str(group) for group in block.groups() if group)


def _formula(text: str, at: int) -> Statement | None:
    """Read formulas in and without delimiters from ``at`` as one, up to the first word that is none."""
    parts: list[str] = []
    ends = [at]
    while at < len(text):
        block = _BLOCK.match(text, at)
        part = block or _BARE.match(text, at)
        if part is None or (part[0] in ("and", "or") and not parts):
            break
        parts.append(f" {_content(block)} " if block else part[0])
        at = part.end()
        ends.append(at)
    cut = at < len(text) and text[at].isalpha()
    while parts and (_LOOSE.fullmatch(parts[-1]) or _is_word(parts, cut)):
        parts.pop()
        ends.pop()
    written = "".join(parts)
    if not any(c.isalnum() or c in "∞√∅½" for c in written) or written.lstrip().startswith("="):
        return None
    if parts[-1] == "!" and len(parts) > 1 and parts[-2][-1:] == " ":
        del parts[-1], ends[-1]  # it closes the sentence
    elif parts[-1] == "!":
        return Statement(
            written, trouble="the declared answer ends with a factorial, or with an exclamation mark"
        )
    return _with_unit("".join(parts), text[ends[-1] :])


def _is_word(parts: list[str], cut: bool) -> bool:
    """Return whether the last letter is a word of the prose that follows: ``6, I think``."""
    return cut and parts[-1] in ("I", "a") and len(parts) > 1 and parts[-2].isspace()


def _with_unit(written: str, rest: str) -> Statement:
    closed = re.match(r"[\s*_-]*", rest).end()  # type: ignore[union-attr]
    if unit := read_unit(rest[closed:]):
        return _without_box(Statement(written, unit.name, rest[closed + unit.end :]))
    return _without_box(Statement(written, "", rest))


def _without_box(stated: Statement) -> Statement:
    """Return what stands in a box with the name before it; a box that is a part of a formula is no answer."""
    boxes = list(_BOX.finditer(stated.written))
    if not boxes:
        return stated
    text, box = stated.written, boxes[0]
    closed = _closing(text, box.end())
    if len(boxes) > 1 or not closed:
        return stated._replace(
            trouble="the declared answer has more than one box" if closed else "a box is not closed"
        )
    inside, after = text[box.end() : closed - 1], text[closed:]
    if unit := _UNIT_IN_MATHS.match(after):
        inside, after = f"{inside} {unit[0]}", after[unit.end() :]
    before = text[_OPENING.match(text).end() : box.start()]  # type: ignore[union-attr]
    named = before.rstrip(" &").endswith("=")
    if not _AFTER_BOX.fullmatch(after) or not (named or _BEFORE_BOX.fullmatch(before)):
        return stated._replace(trouble="the declared answer is a part of a larger formula")
    return stated._replace(written=f"{before} {inside}" if named else inside)


def _closing(text: str, start: int) -> int:
    """Return where the brace before ``start`` is closed, behind it; 0 where it is not."""
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return at + 1
    return 0


def _words(text: str, begin: int) -> Statement | None:
    found = _WORDS.match(text, begin)
    if not found:
        return None
    end = _WORDS_END.search(text, begin, found.end())
    words = text[begin : end.start() if end else found.end()]
    return Statement(words, "", text[begin + len(words) :]) if len(words.split()) <= MOST_WORDS else None
