"""The first step of a verdict: which one answer a response gives, if it gives exactly one.

The last declaration decides. It must be read as a whole, and what follows it must be known to say nothing
(:mod:`adastar_core.verifiers.closings`). The second step, comparison with the reference, is in the verifiers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from adastar_core.records import FinishReason, Outcome, Verdict
from adastar_core.verifiers.closings import what_speaks
from adastar_core.verifiers.declarations import (
    BOXED,
    CLEAR_OR_NOTHING,
    HASHES,
    MOST_ANSWERS,
    Declared,
    declared_answers,
)
from adastar_core.verifiers.own import own_part

T = TypeVar("T")


class Parsed(NamedTuple, Generic[T]):
    """What a declaration was read as: a value to compare, its canonical text to record, and what was left unread."""

    value: T
    text: str
    rest: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Why a declaration cannot be read as one answer; makes the verdict undecided."""

    reason: str


Reader = Callable[[Declared], Parsed[T] | Unclear | None]
"""Reads one declaration; ``None`` means that it is prose and no answer at all.

A reader accounts for all of ``text`` and ``following``: what it has not read of them it returns as the rest.
"""

_PROSE = "what is declared is not an answer"
_DIFFERENT = "the response declares different answers"

Same = Callable[[T, T], bool]


class Extraction(NamedTuple, Generic[T]):
    """The first step's result: an answer, or the outcome that its absence means.

    Attributes:
        text: The answer's canonical text, or the unclear X, or ``None``.
        outcome: What the verdict is when ``answer`` is ``None``.
        reason: Why ``answer`` is ``None``.
        span: Where X stands in the response: its first character, and the one after its last.
    """

    answer: Parsed[T] | None
    text: str | None
    found_by: str
    outcome: Outcome = Outcome.UNDECIDED
    reason: str = ""
    span: tuple[int, int] | None = None

    def verdict(self, verifier: str, compare: Callable[[T], tuple[Outcome, str]]) -> Verdict:
        """Return a verifier's verdict; ``compare`` says what one clear answer is worth, and why."""
        outcome, reason = (self.outcome, self.reason) if self.answer is None else compare(self.answer.value)
        return Verdict(outcome, self.text, self.found_by, reason, verifier, self.span)


def extract(
    response: str,
    finish_reason: FinishReason,
    read: Reader[T],
    same: Same[T],
    fall_back: Callable[[str], Declared | None] | None = None,
    harmless: Callable[[T, str], bool | None] | None = None,
) -> Extraction[T]:
    """Find the one answer that a response declares.

    ``same`` tells repeats from contradictions; ``fall_back`` finds an undeclared answer, e.g. the last number;
    ``harmless`` knows of a sentence that follows whether it agrees with the answer (:data:`closings.Harmless`).

    Returns:
        The answer, or why there is none: ``WRONG`` when a finished response declares none, ``UNDECIDED``
        when it is unclear, contradicts itself, or broke off.
    """
    text, trouble, start, _ = own_part(response)
    if trouble:
        return Extraction(None, None, "", reason=trouble)
    declared = declared_answers(text)
    if len(declared) > MOST_ANSWERS:
        return Extraction(None, None, "", reason=f"the response declares more than {MOST_ANSWERS} answers")
    found = _the_last(text, declared, read, same, harmless)
    undeclared = found.answer is None and (not found.span or found.found_by in CLEAR_OR_NOTHING)
    if undeclared and fall_back is not None:
        last = fall_back(text)
        found = found if last is None else _the_last(text, [last], read, same, harmless)
    if found.span and start:
        found = found._replace(span=(start + found.span[0], start + found.span[1]))
    if broken_off := finish_reason.broken_off:
        return found._replace(answer=None, outcome=Outcome.UNDECIDED, reason=f"generation was {broken_off}")
    return found


def _the_last(
    text: str,
    declared: list[Declared],
    read: Reader[T],
    same: Same[T],
    harmless: Callable[[T, str], bool | None] | None,
) -> Extraction[T]:
    found: Extraction[T] = Extraction(None, None, "", Outcome.WRONG, "the response declares no answer")
    later: Declared | None = None
    for declaration in reversed(declared):
        reading = read(declaration)
        if declaration.pattern in CLEAR_OR_NOTHING:
            unclear = "" if found.span else _why_not(text, declaration, reading, harmless)
            found = _unclear(declaration, unclear) if unclear else found
            if found.span:
                continue
        if found.answer is not None:
            differs = _contradicts(found.answer, declaration, reading, later, same)
            if differs:
                return found._replace(answer=None, outcome=Outcome.UNDECIDED, text=differs, reason=_DIFFERENT)
        elif reading is None and declaration.pattern == HASHES:  # a heading, unless nothing else is declared
            found = found if found.span else _unclear(declaration, _PROSE)
        elif unclear := _why_not(text, declaration, reading, harmless):
            return _unclear(declaration, unclear)
        elif isinstance(reading, Parsed):
            unread = len(reading.rest)
            found = Extraction(reading, reading.text, declaration.pattern, span=_span(declaration, unread))
        later = declaration
    return found


def _contradicts(
    last: Parsed[T],
    declaration: Declared,
    reading: Parsed[T] | Unclear | None,
    later: Declared | None,
    same: Same[T],
) -> str:
    """Return both answers where an earlier declaration clearly gives another one than the last; else nothing."""
    if declaration.doubt or reading is None:
        return ""
    on_its_line = (
        later is not None and later.start < declaration.end
    )  # what speaks after it is that declaration
    if isinstance(reading, Unclear):
        return f"{declaration.text} and {last.text}" if declaration.pattern == BOXED and on_its_line else ""
    if same(reading.value, last.value):
        return ""
    clear = declaration.pattern == BOXED or on_its_line or not what_speaks(reading.rest)
    return f"{reading.text} and {last.text}" if clear else ""


def _unclear(declaration: Declared, reason: str) -> Extraction[T]:
    shown = f"{declaration.text}{declaration.following}".strip()[:200]
    return Extraction(None, shown, declaration.pattern, reason=reason, span=_span(declaration))


def _span(declared: Declared, unread: int = 0) -> tuple[int, int]:
    """Return where X stands, without what was left unread of it; of a box, what is in the box."""
    return declared.start, declared.start + len(declared.text) - max(0, unread - len(declared.following))


def _why_not(
    text: str,
    declaration: Declared,
    reading: Parsed[T] | Unclear | None,
    harmless: Callable[[T, str], bool | None] | None,
) -> str:
    """Return why the last declaration gives no answer; empty if it does."""
    if declaration.doubt:
        return declaration.doubt
    if reading is None:
        return _PROSE
    if isinstance(reading, Unclear):
        return reading.reason
    knows = partial(harmless, reading.value) if harmless else None
    speaks = what_speaks(reading.rest + text[declaration.end :], knows)
    return f"the response goes on after its answer: {speaks!r}" if speaks else ""
