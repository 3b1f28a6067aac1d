"""The verifier of yes-or-no answers: CLadder."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.closings import what_speaks
from adastar_core.verifiers.declarations import Declared, found_undeclared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.tidy import is_asked, spelled, starts

LAST_WORD = "last yes or no"
_REACH = 2000
_SIMPLE = re.compile(r"\s*\(?(yes|no)\)?\.?\s*", re.IGNORECASE)
_END = r"(?=[.,;:!?)\]}\"'*_`$]*$|\s?[.,;:!?)\]}\"'*_`$]+(?=\s|$)|\s(?:because|since|as|due)\s|\s[-(✅✔☑])"
_SAID = re.compile(rf"[(\[\"'`*_]*(yes|no){_END}", re.IGNORECASE)
_LAST = re.compile(
    r"(?<![\w'-])(yes|no)(?=[.,;:!?)\]}\"'*_`$]*(?:$|\n)|[.,;:!?)\]}\"'*_`$]+\s)", re.IGNORECASE
)
_AUXILIARY = r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|must|may|need)"
_SHORT = r"(?:it|they|he|she|there|this|that|these|those|we|you|i|both|neither|none|all)"
_REMARK = re.compile(
    rf"""[\s.,;:!)\]"'*_`-]*(?P<said>(?:{_SHORT}|(?:the|an?|its|his|her|their|our)(?:\ [\w'-]+){{1,5}}?)
    \ (?:{_AUXILIARY}(?:n't)?|cannot)\b(?P<more>[^.!?;\n]*))(?=[.!?;\n]|$)""",
    re.IGNORECASE | re.VERBOSE,
)
_DENIES = re.compile(
    r"\b(?:not|no|never|none|nothing|hardly|cannot|neither|nor|nobody|opposite|contrary|reverse|false|wrong|untrue|incorrect)\b|n't\b",
    re.IGNORECASE,
)
_AFFIRMS = re.compile(r"\b(?:yes|opposite|contrary|reverse)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class YesNoVerifier:
    """Compares the declared yes or no with the reference; where none is declared, perhaps the last one."""

    fall_back: bool = False

    @property
    def version(self) -> str:
        return "yes_no/3+last" if self.fall_back else "yes_no/3"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        found = extract(response, finish_reason, _read, str.__eq__, last_yes_no if self.fall_back else None)
        return found.verdict(self.version, partial(_compare, observation.answer))

    def declare(self, observation: Observation) -> str:
        return f" The answer is {observation.answer}."


def declares(text: str) -> bool:
    """Return whether a text declares one yes or no that can be read, and nothing after it speaks."""
    return extract(text, FinishReason.EOS, _read, str.__eq__).answer is not None


def _compare(written: str, value: str) -> tuple[Outcome, str]:
    reference = read_yes_no(written)
    if not isinstance(reference, Parsed) or what_speaks(reference.rest):
        return Outcome.UNDECIDED, f"the reference {written!r} is neither yes nor no"
    if value == reference.value:
        return Outcome.RIGHT, "is the reference"
    return Outcome.WRONG, f"differs from the reference {reference.text}"


def _read(declared: Declared) -> Parsed[str] | Unclear | None:
    return read_yes_no(declared.said)


def read_yes_no(text: str) -> Parsed[str] | Unclear | None:
    """Read X as yes or no; ``no longer`` and ``no evidence`` are neither."""
    if simple := _SIMPLE.fullmatch(text):
        return Parsed(simple[1].lower(), simple[1].lower())
    spelling = spelled(text)
    for start in starts(spelling):
        if said := _SAID.match(spelling, start):
            value, rest = said[1].lower(), spelling[said.end() :]
            if is_asked(rest):
                return Unclear("the declared answer is a question")
            return Parsed(value, value, _without_remark(rest, value))
    return None


def _without_remark(rest: str, value: str) -> str:
    """Return what follows yes or no without a sentence that only spells it out, as in ``No, there are no cats``."""
    remark = _REMARK.match(rest)
    if remark is None or what_speaks(remark["said"], lambda _: True):
        return rest
    denied = _DENIES.search(remark["said"]) is not None
    if denied and remark["said"].lower().startswith(("this", "that")):
        return rest  # it may be about the answer
    contradicts = (
        denied
        if value == "yes"
        else _AFFIRMS.search(remark["said"]) or not (denied or remark["more"].strip())
    )
    return rest if contradicts else rest[remark.end() :]


def last_yes_no(text: str) -> Declared | None:
    """Return the last yes or no that stands for itself, unlike in ``no evidence``."""
    found = list(_LAST.finditer(text, max(0, len(text) - _REACH)))
    return found_undeclared(text, found[-1], LAST_WORD) if found else None
