"""How alike two texts are: the share of three-word shingles that they have in common."""

import re

_WORDS = 3
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Return the words and numbers of a text, without case and punctuation."""
    return _WORD.findall(text.casefold())


def shingles(sequence: list[str]) -> frozenset[str]:
    """Return every run of three words; a shorter text is one shingle."""
    last = max(1, len(sequence) - _WORDS + 1)
    return frozenset(" ".join(sequence[start : start + _WORDS]) for start in range(last))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the size of the intersection over that of the union, in [0, 1]."""
    common = len(one & other)
    return common / (len(one) + len(other) - common)
