"""Texts that a model or a user wrote, as a page may show them: every character is text, none is an instruction."""

import re
import unicodedata
from typing import NamedTuple

from markupsafe import Markup, escape

LONGEST = 100_000
"""Characters of a text that a page shows; of a longer one it shows the beginning and the end."""
_END = 40_000

# What changes the direction of the text around it, or cannot be seen at all. Joiners within words stay as they are.
_SIGNS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_MARKERS = {"#### X": "####", "The answer is X": "nswer", "Answer: X": "nswer", r"\boxed{X}": "box"}
"""What stands before the answer, by the name of the pattern that found it (``verifiers/patterns.py``)."""


class Part(NamedTuple):
    """A part of a text; ``answer`` for the one that the verifier took for the answer."""

    text: str
    answer: bool = False


def shown(text: str) -> Markup:
    """Return HTML that shows a text, with a name in place of every character that acts unseen."""
    pieces, done = [], 0
    for sign in _SIGNS.finditer(text):
        pieces += [escape(text[done : sign.start()]), _named(sign[0])]
        done = sign.end()
    return Markup().join([*pieces, escape(text[done:])])


def plain(text: str) -> str:
    """Return a text for where there is no markup, such as a title: without characters that act unseen."""
    return _SIGNS.sub("\N{REPLACEMENT CHARACTER}", text)


def _named(sign: str) -> Markup:
    name = unicodedata.name(sign, "CONTROL CHARACTER")
    return Markup('<i class="sign" title="{}">U+{:04X}</i>').format(name, ord(sign))


def clipped(text: str) -> tuple[str, int, str]:
    """Return a text's beginning, how many characters are left out, and its end; all is beginning where it is short."""
    if len(text) <= LONGEST:
        return text, 0, ""
    return text[: LONGEST - _END], len(text) - LONGEST, text[-_END:]


def parts(
    text: str, extracted: str | None, found_by: str = "", place: tuple[int, int] | None = None
) -> list[Part]:
    """Return a text in parts, its answer marked at its ``place``, or where it can be found.

    Without a place, the answer's canonical text is looked for after the last marker of the pattern that found it, or else
    from the end; digits may be grouped.
    """
    if not extracted:
        return [Part(text)]
    start, end = place or _looked_for(text, extracted, found_by) or (0, 0)
    found = [Part(text[:start]), Part(text[start:end], answer=True), Part(text[end:])]
    return found if end else [Part(text)]


def _looked_for(text: str, extracted: str, found_by: str) -> tuple[int, int] | None:
    grouped = r"[ ,_'\u00a0\u202f]?" if extracted.strip("+-").replace(".", "").isdigit() else ""
    written = re.compile(r"(?<!\w)" + grouped.join(map(re.escape, extracted)) + r"(?!\w)", re.IGNORECASE)
    marker = _MARKERS.get(found_by, "")
    start = text.lower().rfind(marker) if marker else -1
    found = written.search(text, start) if start >= 0 else None
    if found is None:
        found = next(reversed([*written.finditer(text)][-1:]), None)
    return None if found is None else found.span()
