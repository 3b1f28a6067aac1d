"""The verifier of answers that must be spelt as the reference is."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.declarations import Declared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.markup import without_marks
from adastar_core.verifiers.tidy import is_asked

_AROUND = dict(
    [
        ("**", "**"),
        ("*", "*"),
        ("```", "```"),
        ("`", "`"),
        ('"', '"'),
        ("'", "'"),
        ("“", "”"),
        ("‘", "’"),
        ("$$", "$$"),
    ]
    + [("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")]
    + [(rf"\{name}{{", "}") for name in ("boxed", "text", "texttt", "textbf", "mathrm", "mathtt")]
)
"""Marks around the whole of an answer that are no part of it, unless the reference has them."""

_FIRST = frozenset(mark[0] for mark in _AROUND)
_MOST_LAYERS = 5
_AFTER = re.compile(
    r"\s?(?:\*\*)?[.!]?(?:\*\*)?$|[.,;!](?=\s[A-Za-z(*])|(?=\s\()|(?=\s(?:because|since|as|due)\s)"
)
_BEFORE_CLOSING = re.compile(r"\.?\s?")


@dataclass(frozen=True, slots=True)
class ExactVerifier:
    """Compares the declared text with the reference, character by character.

    Only markup and quotes around the whole, repeated white space and a closing full stop do not count.
    """

    @property
    def version(self) -> str:
        return "exact/3"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        reference = _one_line(observation.answer)
        found = extract(response, finish_reason, partial(_read, reference), str.__eq__)
        return found.verdict(self.version, partial(_compare, reference))

    def declare(self, observation: Observation) -> str:
        return f"\nAnswer: {observation.answer}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _compare(reference: str, value: str) -> tuple[Outcome, str]:
    if not reference:
        return Outcome.UNDECIDED, "the reference is empty"
    if value == reference:
        return Outcome.RIGHT, "is the reference"
    return Outcome.WRONG, f"differs from the reference {reference}"


def _read(reference: str, declared: Declared) -> Parsed[str] | Unclear | None:
    """Read the reference where X begins with it and then ends; else X as a whole, without what is around it."""
    if is_asked(declared.following):
        return Unclear("the declared answer is a question")
    text = _one_line(declared.text)
    spellings = [text, without_marks(text)] if without_marks(reference) == reference else [text]
    for spelling in spellings if reference else []:
        rest = _behind(reference, spelling)
        if rest is not None:
            return Parsed(reference, reference, rest + declared.following)
    bare = _bare(spellings[-1])
    return Parsed(bare, bare, declared.following) if bare else None


def _behind(reference: str, spelling: str) -> str | None:
    """Return what follows the reference at the start of a text, and the marks that close around it; else ``None``."""
    closing: list[str] = []
    for _ in range(_MOST_LAYERS):
        if spelling.startswith(reference):
            behind = _without(closing, spelling[len(reference) :])
            after = None if behind is None else _AFTER.match(behind)
            if behind is not None and after:
                return behind[after.end() :]
        opens = _opening(spelling)
        if not opens:
            return None
        closing.insert(0, _AROUND[opens])
        spelling = spelling.removeprefix(opens).lstrip()
    return None


def _without(closing: list[str], behind: str) -> str | None:
    """Return a text without the marks that it begins with; ``None`` where one is missing."""
    for mark in closing:
        place = _BEFORE_CLOSING.match(behind).end()  # type: ignore[union-attr]
        if not behind.startswith(mark, place):
            return None
        behind = behind[place + len(mark) :]
    return behind


def _bare(text: str) -> str:
    """Return a text without the marks around the whole of it and without a closing full stop."""
    for _ in range(_MOST_LAYERS):
        text = text.removesuffix(".").strip()
        opens = _opening(text)
        closes = _AROUND.get(opens, "")
        if not opens or len(text) <= len(opens) + len(closes) or not text.endswith(closes):
            break
        text = text[len(opens) : len(text) - len(closes)]
    return text


def _opening(text: str) -> str:
    """Return the mark that opens a text; empty if none does."""
    return next((mark for mark in _AROUND if text.startswith(mark)), "") if text[:1] in _FIRST else ""
