"""What two texts have in common: their spelling without case and prose punctuation, and their three-word shingles.

Operators, signs, comparisons, brackets and digits are never dropped: ``3 - 5`` is not ``3 + 5``, and ``x > 3`` is not
``x < 3``. Two texts whose numbers and symbols differ are not alike, however many words they share.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_SHINGLE = 3
_WORD = re.compile(r"\w+")
_PROSE = "|".join(
    (
        r"""(?<=[^\W\d]{2})[.,;:?!"']+(?=[\s)\]]|$)""",  # ends a part of a sentence, a cry, or a quotation
        r"""(?<=\S)[.,;?]+["']*(?=[\s)\]]|$)""",
        r"(?<=[^\W\d]):+(?=\s|$)",
        r"\?+(?=\s|$)",
        r"""(?<![^\s(])["']+(?=\w)""",  # begins a quotation
        r"(?<=[^\W\d]{2})'(?=[^\W\d])",
        r"(?<=[^\W\d]{2})-(?=[^\W\d]{2})",  # a hyphen, not a minus
    )
)
_TOKEN = re.compile(rf"(\d+(?:[.,]\d+)*|[^\W\d_]+)|(?:{_PROSE})|(\S)")
_ONE_KIND = str.maketrans(
    {**dict.fromkeys("‐‑‒–—−", "-"), **dict.fromkeys("‘’", "'"), **dict.fromkeys("“”«»", '"'), "⁄": "/"}
)
_MARKS = {"<super>": "^", "<sub>": "_", "<fraction>": " "}


def words(text: str) -> list[str]:
    """Return the words and numbers of a text, without case and without any other character."""
    return _WORD.findall(text.casefold())


def tokens(text: str) -> list[str]:
    """Return words, numbers and symbols of a text: without case, white space and the punctuation of prose."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", "".join(map(_marked, text))).translate(_ONE_KIND)
    return [word or symbol for word, symbol in _TOKEN.findall(text.casefold()) if word or symbol]


def _marked(character: str) -> str:
    """Return ``^2`` for a raised 2 and `` ½`` for a fraction, whose plain forms would join what is before them."""
    return _MARKS.get(unicodedata.decomposition(character).partition(" ")[0], "") + character


@dataclass(frozen=True, slots=True)
class Outline:
    """A text's runs of three tokens (a shorter text is one run), and its numbers and symbols in order."""

    shingles: frozenset[str]
    signs: tuple[str, ...]

    @classmethod
    def of(cls, sequence: Sequence[str]) -> "Outline":
        last = max(1, len(sequence) - _SHINGLE + 1)
        runs = frozenset(" ".join(sequence[start : start + _SHINGLE]) for start in range(last))
        return cls(runs, tuple(token for token in sequence if not token.isalpha()))

    def likeness(self, other: "Outline") -> float:
        """Return the share of common shingles (Jaccard), in [0, 1]; 0 where numbers or symbols differ."""
        if self.signs != other.signs:
            return 0.0
        common = len(self.shingles & other.shingles)
        return common / (len(self.shingles) + len(other.shingles) - common)
