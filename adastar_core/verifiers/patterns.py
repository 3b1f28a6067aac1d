r"""The declared answer patterns, and the first of the two steps of a verdict: extraction.

A response declares its answer as ``#### X``, ``The answer is X``, ``Answer: X`` or ``\boxed{X}``. What X may
be is each verifier's own affair: it passes a reader, which says of one X what answer it is, that it is no
answer, or that it is unclear. The second step, comparison with the reference, is in the verifiers.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from adastar_core.records import FinishReason, Outcome, Verdict
from adastar_core.verifiers.markup import own_part

HASHES = "#### X"
SENTENCE = "The answer is X"
COLON = "Answer: X"
BOXED = r"\boxed{X}"

LONGEST = 500
"""Characters of an X that are read. A longer one is an answer only if its first sentence ends within them."""

_MOST_ANSWERS = 64
_LONGEST_BOX = 2000

T = TypeVar("T")


class Declared(NamedTuple):
    """One X, up to the end of its line or to the closing brace, and the name of its pattern, e.g. ``"#### X"``."""

    text: str
    pattern: str


class Parsed(NamedTuple, Generic[T]):
    """What an X was read as: a value to compare, and its canonical text to record."""

    value: T
    text: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why an X cannot be read as one answer; makes the verdict undecided."""

    reason: str


Reader = Callable[[str], Parsed[T] | Unclear | None]
"""Reads one X; ``None`` means that it is prose and no answer at all."""

Same = Callable[[T, T], bool]


class Extraction(NamedTuple, Generic[T]):
    """The first step's result: an answer, or the outcome that its absence means.

    Attributes:
        text: The answer's canonical text, or the unclear X, or ``None``.
        outcome: What the verdict is when ``answer`` is ``None``.
        reason: Why ``answer`` is ``None``.
    """

    answer: Parsed[T] | None
    text: str | None
    found_by: str
    outcome: Outcome = Outcome.UNDECIDED
    reason: str = ""

    def verdict(self, verifier: str, compare: Callable[[T], tuple[Outcome, str]]) -> Verdict:
        """Return a verifier's verdict; ``compare`` says what one clear answer is worth, and why."""
        outcome, reason = (self.outcome, self.reason) if self.answer is None else compare(self.answer.value)
        return Verdict(outcome, self.text, self.found_by, reason, verifier)


_NEXT_QUESTION = re.compile(r"Q\**:(?<![A-Za-z0-9]Q:)|\n[ \t*]*(?:Question|Problem)\b[ 0-9*]*:")
_HASHES = re.compile(r"####(?<!#####)(?!#)\s*(?=([^\n]{0,500}))")
_ANSWER = re.compile(
    r"nswer(?<=\b[Aa]nswer)s?(?: (?:choice|option))?(?: (?:to|for) [^.?!:\n]{1,60}?)?"
    r"(?:\s+(is|are|equals)\b|\**\s*[:=])\**:?\s*(?=([^\n]{0,500}))"
)
_ANSWER_CAPITALS = re.compile(r"NSWER(?<=\bANSWER)S?(?:\s+(IS|ARE)\b|\**\s*[:=])\**:?\s*(?=([^\n]{0,500}))")
_DENIALS = (
    "wrong|incorrect|false|mistaken|not the|not an|not a|not the correct|not the right"
    "|if the|whether the|suppose the|assume the|assuming the|if my|if"
)
_DENIED = tuple(f"{words} " for words in _DENIALS.split("|"))
_ENDED = re.compile(r"[.;:!?](?=\s)|,?\s(?:because|since|as|so)\s")
_BRACE = re.compile(r"\\.|[{}]")
_BOXED = re.compile(r"\\f?box(?:ed)?\s*\{")


_HASHES_LINE = re.compile(r"####[^\n]*")
_BOXED_ANSWER = re.compile(r"\\f?box(?:ed)?\s*\{[^\n]{0,500}\}")
_ANSWER_LINE = re.compile(
    r"(?:\b(?:so|thus|therefore|hence|the|final|correct)\b[, ]*)*\banswers?(?:\s+(?:is|are|equals)\b|\**\s*[:=])\**:?\s*[^\n]*",
    re.IGNORECASE,
)


def answer_part(response: str) -> str:
    """Return the response up to a spelled out end, or to where the model asks itself another question."""
    response = own_part(response)
    if "Q" not in response and "Problem" not in response:
        return response
    end = _NEXT_QUESTION.search(response)
    return response[: end.start()] if end else response


def declared_answers(text: str) -> list[Declared]:
    """Return every X of every declared answer pattern, pattern by pattern; of very many, a few more than enough."""
    declared: list[Declared] = []
    if "####" in text:
        declared += [Declared(match[1], HASHES) for match in _first(_HASHES, text)]
    if "box" in text:
        declared += [Declared(_braced(text, match.end()), BOXED) for match in _first(_BOXED, text)]
    for literal, pattern in (("nswer", _ANSWER), ("NSWER", _ANSWER_CAPITALS)):
        if literal in text:
            declared += [
                Declared(match[2], SENTENCE if match[1] else COLON)
                for match in _first(pattern, text)
                if not text[max(0, match.start() - 17) : match.start() - 1].lower().endswith(_DENIED)
            ]
    return declared


def _first(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    return islice(pattern.finditer(text), _MOST_ANSWERS + 1)


def without_declared_answers(text: str) -> str:
    """Return the text without its declared answers, each up to the end of its line: the rationale alone."""
    for pattern in (_HASHES_LINE, _BOXED_ANSWER, _ANSWER_LINE):
        text = pattern.sub(" ", text)
    return text


def _braced(text: str, start: int) -> str:
    """Return what stands between an opening brace, which ends at ``start``, and its closing brace; nothing if it has none."""
    depth = 1
    for match in _BRACE.finditer(text, start, start + _LONGEST_BOX):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return text[start : match.start()]
    return ""


def extract(
    response: str,
    finish_reason: FinishReason,
    read: Reader[T],
    same: Same[T],
    fall_back: Callable[[str], Declared | None] | None = None,
) -> Extraction[T]:
    """Find the one answer that a response declares.

    ``same`` tells repeats from contradictions; ``fall_back`` finds an undeclared answer, e.g. the last number.

    Returns:
        The answer, or why there is none: ``WRONG`` when a finished response declares none, ``UNDECIDED``
        when it is unclear, contradicts itself, or broke off.
    """
    text = answer_part(response)
    declared = declared_answers(text)
    if len(declared) > _MOST_ANSWERS:
        return Extraction(None, None, "", reason=f"the response declares more than {_MOST_ANSWERS} answers")
    found = _agree(declared, read, same)
    if found.outcome is Outcome.WRONG and fall_back is not None:
        last = fall_back(text)
        found = found if last is None else _agree([last], read, same)
    if broken_off := finish_reason.broken_off:
        return Extraction(None, found.text, found.found_by, reason=f"generation was {broken_off}")
    return found


def _agree(declared: list[Declared], read: Reader[T], same: Same[T]) -> Extraction[T]:
    first: tuple[Parsed[T], str] | None = None
    for answer in declared:
        parsed = read(answer.text)
        if parsed is None:
            continue
        if len(answer.text) >= LONGEST and not _ENDED.search(answer.text[:LONGEST]):
            parsed = Unclear(f"the declared answer is longer than {LONGEST} characters")
        if isinstance(parsed, Unclear):
            return Extraction(None, answer.text.strip()[:200], answer.pattern, reason=parsed.reason)
        if first is None:
            first = (parsed, answer.pattern)
        elif not same(first[0].value, parsed.value):
            both = f"{first[0].text} and {parsed.text}"
            return Extraction(None, both, answer.pattern, reason="the response declares different answers")
    if first is not None:
        return Extraction(first[0], first[0].text, first[1])
    if declared:
        prose = declared[-1]
        return Extraction(
            None, prose.text.strip()[:200], prose.pattern, reason="what is declared is not an answer"
        )
    return Extraction(None, None, "", Outcome.WRONG, "the response declares no answer")
