"""The verifier of multiple-choice answers: ARC-Challenge, CommonsenseQA."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import Choice, FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.declarations import Declared, found_undeclared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.options import is_remark, read_option

LAST_LETTER = "last letter"
_REACH = 2000
_DEFAULT = tuple(Choice(label, "") for label in "ABCDE")
_LAST_LABEL = re.compile(r"[(\[]([A-Za-z1-9])[)\]]|(?<![\w'])([B-HJ-Z]|A(?=[.)\]:,;]|\s*$))(?![\w'])")
_NAMED = re.compile(
    r"""(?:^|[.,:;!?\n=>*_$`"'(\[-]|\b(?:is|be|option|choice|answer|letter|label|choose|chose|pick|picked|select|selected|with|so|hence
    |thus|therefore|then|to|for|statement|not|or|and|nor|neither|either|than))[\s*_$`"'(\[:-]*$""",
    re.IGNORECASE | re.VERBOSE,
)
"""What may stand before a bare label: unlike ``vitamin`` and ``sample``, it leaves the letter a word of its own."""
_IN_A_LIST = re.compile(r"(?<!\w)[(\[]?\w[)\]]?\s*(?:[,/&+]|,?\s(?:and|or|nor|then))\s*$")


@dataclass(frozen=True, slots=True)
class ChoiceVerifier:
    """Compares the declared option with the reference label; where none is declared, perhaps the last letter."""

    fall_back: bool = False

    @property
    def version(self) -> str:
        return "choice/3+last" if self.fall_back else "choice/3"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        choices = observation.choices or _DEFAULT
        read = partial(_read, choices)
        last = last_letter if self.fall_back else None
        found = extract(response, finish_reason, read, str.__eq__, last, partial(is_remark, choices))
        return found.verdict(self.version, partial(_compare, observation.answer, choices))

    def declare(self, observation: Observation) -> str:
        return f" The answer is ({observation.answer})."


def _compare(reference: str, choices: tuple[Choice, ...], label: str) -> tuple[Outcome, str]:
    if label == reference:
        return Outcome.RIGHT, "is the reference option"
    if all(choice.label != reference for choice in choices):
        return Outcome.UNDECIDED, f"the reference {reference!r} is none of the options"
    return Outcome.WRONG, f"differs from the reference {reference}"


def _read(choices: tuple[Choice, ...], declared: Declared) -> Parsed[str] | Unclear | None:
    return read_option(choices, declared.said)


def last_letter(text: str) -> Declared | None:
    """Return the last label of a text that declares none; an article "A" is none."""
    labels = list(_LAST_LABEL.finditer(text, max(0, len(text) - _REACH)))
    if not labels:
        return None
    found = found_undeclared(text, labels[-1], LAST_LETTER)
    before = text[max(0, found.start - 20) : found.start]
    if not found.doubt and _IN_A_LIST.search(before[-12:]):
        return found._replace(doubt="several options are named")
    if not found.doubt and not labels[-1][1] and not _NAMED.search(before):
        return found._replace(doubt="the last letter is a part of a name")
    return found
