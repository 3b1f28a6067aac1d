"""Words as they are compared: without markup, and where in a declaration an answer may begin and end."""

import re
from collections.abc import Iterator

from adastar_core.verifiers.markup import without_marks

_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathsf|mbox|boxed|fbox|emph)\s*\{([^{}]*)\}"
)
_MATHS = re.compile(r"\\[()\[\] ]|\$")
_ESCAPE = re.compile(r"\\(?=[%$&#_])")
_EDGES = " \t\r\n*_`\"'"
_ONE_KIND = str.maketrans(
    {
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "–": "-",
        "—": " - ",
        "−": "-",
        "。": ".",
        "，": ", ",
        "：": ": ",
    }
)
_OPENING = re.compile(r"[\s*_`\"']*")
_FILLER = re.compile(
    r"""(?:(?:therefore|thus|then|now|clearly|indeed|simply|definitely|certainly|surely|obviously|undoubtedly
    |(?:most|very)\ likely|likely|probably|to\ be|that|the|final|correct|right|best|answer|option|choice|letter|label
    |class|category|statement|is)\b[\s:,*_]*(?:(?<=[\s:,*_])) | (?:[-:]|\.\.\.)+\s+)+(?=[\"'`(\[]*[\w-])""",
    re.IGNORECASE | re.VERBOSE,
)
_END = re.compile(r"[.,;:!?)\]}\"'*_`$]*(?=\s|$)")
_ASKED = re.compile(r"[\s.)\]}\"'*_`$]*\?")


def spelled(text: str) -> str:
    """Return ``text`` with one kind of space, quote and dash, and without markup."""
    if "\\" in text or "$" in text:
        for _ in range(3):
            text = _WRAPPER.sub(r" \1 ", text)
        text = _MATHS.sub(" ", _ESCAPE.sub("", text))
    text = without_marks(text)
    if not text.isascii():
        text = text.translate(_ONE_KIND)
    return " ".join(text.replace("**", " ").split())


def tidy(text: str) -> str:
    """Return ``text`` as :func:`spelled`, and without quotes around it and closing full stops."""
    return spelled(text).strip(_EDGES).rstrip(_EDGES + ".")


def folded(text: str) -> str:
    """Return ``text`` in small letters, each at its place."""
    small = text.lower()
    return (
        small if len(small) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    )


def starts(spelling: str) -> Iterator[int]:
    """Yield where an answer may begin: behind opening marks, and behind words such as ``most likely option``."""
    begins = _OPENING.match(spelling).end()  # type: ignore[union-attr]
    yield begins
    if filler := _FILLER.match(spelling, begins):
        yield _OPENING.match(spelling, filler.end()).end()  # type: ignore[union-attr]


def ends(spelling: str, place: int) -> bool:
    """Return whether a word can end at ``place``: it does not before ``-like``, ``'s``, ``.5``, ``/`` or a letter."""
    return _END.match(spelling, place) is not None


def is_asked(rest: str) -> bool:
    """Return whether what follows an answer makes it a question, as in ``(B)? No.``."""
    return "?" in rest and _ASKED.match(rest) is not None
