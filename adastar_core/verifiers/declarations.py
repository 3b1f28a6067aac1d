r"""Where a response declares its answer, and what of the text belongs to the declaration.

A response declares its answer as ``#### X``, ``The answer is X``, ``Answer: X``, ``\boxed{X}`` or
``<answer>X</answer>``. A heading such as ``### Final Answer`` with X below it, ``The correct option is X`` and
``Ans. X`` may also be prose, so they declare only what is clear and comes last (:data:`CLEAR_OR_NOTHING`).
What X may be is each verifier's own affair.
"""

import re
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import NamedTuple

from adastar_core.verifiers.closings import is_silent
from adastar_core.verifiers.leads import doubt_about_box, doubt_about_lead

HASHES = "#### X"
SENTENCE = "The answer is X"
COLON = "Answer: X"
BOXED = r"\boxed{X}"
TAGGED = "<answer>X</answer>"
HEADED = "Answer, and X below"
SHORT = "Ans. X"
OPTION = "The correct option is X"
CLEAR_OR_NOTHING = frozenset({HEADED, SHORT, OPTION})

LONGEST = 500
"""Characters of an X that are read."""

MOST_ANSWERS = 64
_LONGEST_BOX = 2000
_WORDS_BEFORE_A_BOX = 3


class Declared(NamedTuple):
    """One declaration.

    Attributes:
        text: X: to the end of its line or of its displayed formula, or what stands in the box.
        pattern: The name of its pattern, e.g. ``"#### X"``.
        start: Where X begins in the text.
        end: Where ``following`` ends.
        following: What follows a box or a displayed formula on its line; else empty, since X is the whole line.
        doubt: Why it may not be meant as the answer, e.g. because it is denied; else empty.
    """

    text: str
    pattern: str
    start: int = 0
    end: int = 0
    following: str = ""
    doubt: str = ""

    @property
    def said(self) -> str:
        """X with what follows it on its line, if that is more than punctuation."""
        silent = "?" not in self.following and is_silent(self.following)
        return self.text if silent else self.text + self.following


_HASHES = re.compile(r"####(?<!#####)(?!#)\s*")
_LINK = r"(?:is|are|equals|will\ be|would\ be|must\ be|should\ be|has\ to\ be|is\ going\ to\ be|comes\ (?:out\ )?to(?:\ be)?)"
_ANSWER = re.compile(
    rf"""answer(?<=\banswer)s?(?:\ (?:choice|option|letter))?(?:\ (?:to|for)\ [^.?!:\n]{{1,60}}?|,?\ \(?in\ [a-z ]{{1,30}}[),])?
    (?:\s+(?P<link>{_LINK})\b|\**\s*[:=])[:*_]*\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_HEADED = re.compile(
    r"^[ \t>]*(?:\#{1,6}|\*\*|__)[ \t*_\d.)]*(?:(?:the|my|our)[ ])?(?:(?:final|correct)[ ])?answer[ \t*_]*\n+[ \t]*(?=\S)",
    re.IGNORECASE | re.MULTILINE,
)
_SHORT = re.compile(
    r"^[ \t*_]*(?:final[ ])?ans(?:\.[ :*_]*|[ *_]*[:=][ *_]*)(?=\S)",
    re.IGNORECASE | re.MULTILINE,
)
_OPTION = re.compile(
    r"(?<![\w-])(?:correct|right|best)\ (?:option|choice|label|class)(?:\ here)?(?:\ is\b|\**\s*:)[:*_]*\s*",
    re.IGNORECASE,
)
_TAG = re.compile(r"<answer>\s*", re.IGNORECASE)
_TAG_END = re.compile(r"</answer>", re.IGNORECASE)
_LONGEST_TAGGED = 2000
_BOX = re.compile(r"\\f?box(?:ed)?\s*(?:\{|(?=[0-9]))")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?](?=[\s$*])")
_CLAUSE_END = re.compile(r"[,:;](?=\s)|\s[-–—]+(?=\s)")
_DISPLAYS = {r"\[": r"\]", "$$": "$$", r"\(": r"\)", "```": "```"}
_DISPLAY = re.compile(r"\\\[|\$\$|\\\(|```\w*|\\begin\{(\w+\*?)\}")


def declared_answers(text: str) -> list[Declared]:
    """Return every declaration in the order of the text; of very many, a few more than enough."""
    declared: list[Declared] = []
    if "####" in text:
        declared += [_line(text, match.end(), HASHES) for match in _first(_HASHES, text)]
    if "nswer" in text or "NSWER" in text:
        declared += [_said(text, match) for match in _first(_ANSWER, text)]
        if "<" in text:
            declared += filter(None, (_tagged(text, match) for match in _first(_TAG, text)))
    if "box" in text:
        declared = _merged(text, declared, _boxes(text))
    end = max([one.end for one in declared]) if declared else 0
    if end < len(text):
        declared += _clear_or_nothing(text, end)
    return _parted(text, sorted(declared, key=_position)) if len(declared) > 1 else declared


def _clear_or_nothing(text: str, start: int) -> Iterator[Declared]:
    """Return what declares from ``start`` if it is clear; a look for its words comes first because most texts have none."""
    rest = text[start:]
    if any(word in rest for word in ("nswer\n", "nswer*", "nswer_", "nswer \n", "NSWER")):
        yield from (_line(text, match.end(), HEADED) for match in _first(_HEADED, text, start))
    if any(word in rest for word in ("Ans.", "Ans:", "Ans*", "ANS", "ans:")):
        yield from (_line(text, match.end(), SHORT) for match in _first(_SHORT, text, start))
    if any(word in rest for word in ("t option", "t choice", "t label", "t class")):
        for match in _first(_OPTION, text, start):
            if not doubt_about_lead(text, match.start()):
                yield _line(text, match.end(), OPTION)


def _parted(text: str, declared: list[Declared]) -> list[Declared]:
    """End each declaration where its line declares again, as in ``The answer is 2. The answer is 3``.

    It ends with its last sentence before that, or its last clause. A box without either stands for itself; of
    ``Answer: The answer is 3`` only the second is left.
    """
    ended = [_until(text, one, later.start) for one, later in pairwise(declared)]
    return [*filter(None, ended), *declared[-1:]]


def _until(text: str, one: Declared, start: int) -> Declared | None:
    if start >= one.end:
        return one
    begin = one.end - len(one.following) if one.pattern == BOXED else one.start
    ends = list(_SENTENCE_END.finditer(text, begin, start)) or list(_CLAUSE_END.finditer(text, begin, start))
    end = ends[-1].end() if ends else begin
    if one.pattern == BOXED:
        return one._replace(end=end, following=text[begin:end])
    return one._replace(end=end, text=text[begin:end]) if ends else None


def _position(declared: Declared) -> int:
    return declared.start


def _first(pattern: re.Pattern[str], text: str, start: int = 0) -> Iterator[re.Match[str]]:
    return islice(pattern.finditer(text, start), MOST_ANSWERS + 1)


def _line(text: str, start: int, pattern: str, doubt: str = "") -> Declared:
    """Return what is declared from ``start``: to the end of the line, or a displayed formula that begins there."""
    display = _DISPLAY.match(text, start)
    if display and (shown := _displayed(text, display)):
        inside, closed = shown
        begins, end = text.index(inside, display.end()), _line_end(text, closed)
        return Declared(inside, pattern, begins, end, text[closed:end], doubt)
    end = _line_end(text, start)
    line = text[start:end]
    if ("\\" in line or "$$" in line) and (closing := _open_display(line)):
        closed = text.find(closing, end, end + LONGEST)
        end = _line_end(text, closed + len(closing)) if closed >= 0 else end
    end = min(end, start + LONGEST)
    return Declared(text[start:end], pattern, start, end, "", doubt)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return min(len(text) if end < 0 else end, start + LONGEST)


def _displayed(text: str, opened: re.Match[str]) -> tuple[str, int] | None:
    """Return what stands in a displayed formula of several lines, and where it ends; ``None`` for one on a line."""
    closing = f"\\end{{{opened[1]}}}" if opened[1] else _DISPLAYS.get(opened[0], "```")
    closed = text.find(closing, opened.end(), opened.end() + LONGEST)
    if closed < 0 or "\n" not in text[opened.end() : closed]:
        return None
    return text[opened.end() : closed].strip(), closed + len(closing)


def _open_display(line: str) -> str:
    """Return what must close a formula that the line opens and does not close."""
    closing = ""
    for opened in _DISPLAY.finditer(line):
        if closing and opened[0] == closing:
            closing = ""
        elif not closing:
            wanted = f"\\end{{{opened[1]}}}" if opened[1] else _DISPLAYS[opened[0][:3].rstrip("`") or "```"]
            closing = "" if wanted != opened[0] and line.find(wanted, opened.end()) >= 0 else wanted
    return closing


def _said(text: str, match: re.Match[str]) -> Declared:
    pattern = SENTENCE if match["link"] else COLON
    return _line(text, match.end(), pattern, doubt_about_lead(text, match.start()))


def _tagged(text: str, opened: re.Match[str]) -> Declared | None:
    """Return what stands between the tags, or from the last one that is not closed to the end of the text."""
    start, reach = opened.end(), opened.end() + _LONGEST_TAGGED
    closed = _TAG_END.search(text, start, reach)
    if closed is None and len(text) > reach:
        return None
    inside = text[start : closed.start() if closed else len(text)].rstrip()
    return Declared(inside[:LONGEST], TAGGED, start, closed.end() if closed else len(text))


def _boxes(text: str) -> list[Declared]:
    """Return every box that stands in no other box."""
    boxes: list[Declared] = []
    for match in _first(_BOX, text):
        if not boxes or match.start() >= boxes[-1].start + len(boxes[-1].text):
            boxes.append(_box(text, match))
    return boxes


def _box(text: str, match: re.Match[str]) -> Declared:
    if match[0][-1] != "{":
        inside, closed = text[match.end()], match.end() + 1
    else:
        closed = _closing_brace(text, match.end())
        inside = text[match.end() : closed - 1]
    end = _line_end(text, closed)
    doubt = doubt_about_box(text, match.start()) if closed > match.end() else "the box is never closed"
    return Declared(inside[:_LONGEST_BOX], BOXED, match.end(), end, text[closed:end], doubt)


def _closing_brace(text: str, start: int) -> int:
    """Return the place behind the brace that closes the one before ``start``; ``start`` itself where none does."""
    depth = 1
    for match in _BRACE.finditer(text, start, start + _LONGEST_BOX):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return start


def found_undeclared(text: str, match: re.Match[str], pattern: str) -> Declared:
    """Return what stands undeclared in a text, e.g. its last number, as a declaration with what follows it on its line."""
    end = _line_end(text, match.end())
    doubt = doubt_about_box(text, match.start())
    return Declared(match[0], pattern, match.start(), end, text[match.end() : end], doubt)


def _merged(text: str, outer: list[Declared], boxes: list[Declared]) -> list[Declared]:
    r"""Leave of a box in another declaration's X only one of both.

    ``The answer is not \\boxed{6}`` is read as a whole, and so is what begins with a box. After ``Answer:`` and more than a
    few words the box alone declares.
    """
    for declared in outer:
        inside = [
            box
            for box in boxes
            if declared.start <= box.start < declared.end
            and not _SENTENCE_END.search(text, declared.start, box.start)
        ]
        if not inside:
            continue
        words = len(text[declared.start : inside[0].start].split())
        if declared.pattern == COLON and words > _WORDS_BEFORE_A_BOX:
            outer = [other for other in outer if other is not declared]
        else:
            boxes = [box for box in boxes if box not in inside]
    return outer + boxes


_ANSWER_LINE = re.compile(
    r"(?:\b(?:so|thus|therefore|hence|the|final|correct)\b[, ]*)*\b(?:answers?|(?:correct|right|best) (?:option|choice|label|class))(?:\s+(?:is|are|equals)\b|\**\s*[:=])\**:?\s*"
    r"(?:(?![.;!?](?:\s|$)|,?\s+(?:because|since|as|for)\b)[^\n])*[.!?]*",
    re.IGNORECASE,
)
_HASHES_LINE = re.compile(r"####[^\n]*")
_CLEAR_LINE = re.compile(rf"(?:{_HEADED.pattern}|{_SHORT.pattern})[^\n]*", re.IGNORECASE | re.MULTILINE)
_BOXED_ANSWER = re.compile(r"\\f?box(?:ed)?\s*\{[^\n]{0,500}\}")


def without_declared_answers(text: str) -> str:
    """Return the text without its declared answers, each up to the end of its sentence or to its reason: the rationale alone."""
    for pattern in (_HASHES_LINE, _BOXED_ANSWER, _ANSWER_LINE, _CLEAR_LINE):
        text = pattern.sub(" ", text)
    return text
