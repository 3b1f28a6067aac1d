"""Markup that is no part of an answer: tags, and the special tokens of models where they are spelled out."""

import re

_MARKS = re.compile(r"(?:</?(?:s|b|i|em|strong|answer)>|<\|[^|<>]{1,30}\|>)+")
_END = re.compile(
    r"<\|(?:endoftext|end_of_text|end_of_turn|im_end|eot_id|eom_id|eos|end|return)\|>|<eos>|<end_of_turn>|<｜end▁of▁sentence｜>|</s>"
)


def own_part(response: str) -> str:
    """Return the response up to a spelled out end of text or turn; what follows is not the response's.

    ``</s>`` is such an end unless ``<s>`` before it makes both a pair of tags.
    """
    if "<" not in response:
        return response
    opened = response.find("<s>")
    for end in _END.finditer(response):
        if end[0] != "</s>" or not 0 <= opened < end.start():
            return response[: end.start()]
    return response


def without_marks(text: str) -> str:
    """Return the text without its marks; what they part stays apart, but for letters around tags: ``<b>E</b>ast``."""
    return _MARKS.sub(_boundary, text) if "<" in text else text


def _boundary(marks: re.Match[str]) -> str:
    text, start, end = marks.string, marks.start(), marks.end()
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    if not (before.isalnum() and after.isalnum()):
        return ""
    return "" if before.isalpha() and after.isalpha() and "|" not in marks[0] else " "
