"""Markup that is no part of an answer: tags, and the special tokens of models where they are spelled out."""

import re

_MARKS = re.compile(r"(?:</?(?:s|b|i|em|strong|answer)>|<\|[^|<>]{1,30}\|>)+")


def without_marks(text: str) -> str:
    """Return the text without its marks; what they part stays apart, but for letters around tags: ``<b>E</b>ast``."""
    return _MARKS.sub(_boundary, text) if "<" in text else text


def _boundary(marks: re.Match[str]) -> str:
    text, start, end = marks.string, marks.start(), marks.end()
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    if not (before.isalnum() and after.isalnum()):
        return ""
    return "" if before.isalpha() and after.isalpha() and "|" not in marks[0] else " "
