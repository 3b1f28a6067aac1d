"""The verifier of yes-or-no answers: CLadder."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.declarations import Declared, found_undeclared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.tidy import DENIAL, first_sentence, is_question, tidy, without_filler

LAST_WORD = "last yes or no"
_REACH = 2000
_SIMPLE = re.compile(r"\s*\(?(yes|no)\)?\.?\s*", re.IGNORECASE)
_LEADING = re.compile(r"[(\[\"']*(yes|no)[)\]\"']*(?:[.,:;!?*_ ]*$|[.,:;!?]\s|\s-\s)", re.IGNORECASE)
_WORDS = re.compile(r"\b(yes|no)\b(?!-)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class YesNoVerifier:
    """Compares the declared yes or no with the reference; where none is declared, perhaps the last one."""

    fall_back: bool = False

    @property
    def version(self) -> str:
        return "yes_no/2+last" if self.fall_back else "yes_no/2"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        found = extract(response, finish_reason, _read, str.__eq__, last_yes_no if self.fall_back else None)
        return found.verdict(self.version, partial(_compare, observation.answer))

    def declare(self, observation: Observation) -> str:
        return f" The answer is {observation.answer}."


def _compare(written: str, value: str) -> tuple[Outcome, str]:
    reference = read_yes_no(written)
    if not isinstance(reference, Parsed):
        return Outcome.UNDECIDED, f"the reference {written!r} is neither yes nor no"
    if value == reference.value:
        return Outcome.RIGHT, "is the reference"
    return Outcome.WRONG, f"differs from the reference {reference.text}"


def _read(declared: Declared) -> Parsed[str] | Unclear | None:
    return read_yes_no(declared.text + declared.following)


def read_yes_no(text: str) -> Parsed[str] | Unclear | None:
    """Read X as yes or no; ``no longer`` and ``no more than`` are neither."""
    match = _SIMPLE.fullmatch(text)
    if match is None:
        sentence = without_filler(first_sentence(tidy(text)))
        words = {word.lower() for word in _WORDS.findall(sentence)}
        match = _LEADING.match(sentence)
        if words and is_question(text):
            return Unclear("the declared answer is a question")
        if len(words) == 2 or (words and match is None and DENIAL.search(sentence)):
            return Unclear("the declared answer is an alternative or a denial")
    return Parsed(match[1].lower(), match[1].lower()) if match else None


def last_yes_no(text: str) -> Declared | None:
    words = list(_WORDS.finditer(text, max(0, len(text) - _REACH)))
    return found_undeclared(text, words[-1], LAST_WORD) if words else None
