"""Shows text from outside as text: what would drive a terminal or a reader's eye is spelled out instead."""

import json
import unicodedata
from collections.abc import Callable

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Categories of Unicode that show nothing of themselves: controls, marks of direction, separators, unassigned signs."""


def visible(text: str) -> str:
    r"""Return ``text`` with ``\x1b`` for an escape and ``\u202e`` for a reversal of direction; line ends are kept.

    A tab is four spaces. Every other sign that is there to be seen stays as it is, in any script.
    """
    if text.isascii() and text.isprintable():
        return text
    shown = text.replace("\t", "    ")
    return "".join(ascii(sign)[1:-1] if sign != "\n" and _is_unseen(sign) else sign for sign in shown)


def json_text(
    value: object, *, default: Callable[[object], object] | None = None, indent: int | None = 1
) -> str:
    r"""Return a JSON document in readable Unicode, where what :func:`visible` spells out is ``\u…``, as JSON may."""
    document = json.dumps(value, default=default, ensure_ascii=False, indent=indent)
    # What is not seen can only be inside a text there: the lines of the document end in \n alone.
    return "".join(json.dumps(sign)[1:-1] if sign != "\n" and _is_unseen(sign) else sign for sign in document)


def _is_unseen(sign: str) -> bool:
    return not sign.isprintable() and unicodedata.category(sign) in _UNSEEN
