"""The verifier of numeric answers: GSM8K, SVAMP, arithmetic."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.closings import what_speaks
from adastar_core.verifiers.declarations import BOXED, HASHES, Declared, found_undeclared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.markup import without_marks
from adastar_core.verifiers.number_phrase import Number
from adastar_core.verifiers.numbers import head_of, read_number, reference_number

LAST_NUMBER = "last number"
_REACH = 2000
_LAST_NUMBER = re.compile(
    r"(?<![\w.])(?<![A-Za-z]\^)[-+]?[$€£]?\d[\d,]*(?<!,)(?:\.\d+)?(?:/\d+)?%?(?![\w/^])"
)
_PART_OF_MORE = re.compile(
    r"\d[\s$*]*(?:[-:,–]|and|or|to|through|by|out of|of)?[\s$*]*$|[\w)]\s*[\^/_×÷·<>≤≥≠]\s*$|[<>≤≥≠]\s*$",
    re.IGNORECASE,
)
_NAMED_BY_NUMBER = re.compile(
    r"""\b(?:steps?|figures?|pages?|questions?|problems?|parts?|options?|cases?|chapters?|lines?|tables?|equations?|examples?|numbers?
    |items?|versions?|rounds?|levels?|rooms?|routes?|sections?|notes?|phases?|methods?|points?|rows?|columns?|exercises?|no\.)
    [\s*\#(]*$""",
    re.IGNORECASE | re.VERBOSE,
)
_CONCLUDES = re.compile(
    r"(?:so|thus|therefore|hence|in\ (?:total|all|conclusion)|altogether|this\ means|consequently)\b",
    re.IGNORECASE,
)
_LIST_MARKER = re.compile(r"\s*\**\d{1,2}[.):]\**\s")
_FORMULA_GOES_ON = re.compile(r"[\d!]|[.,]\d")


@dataclass(frozen=True, slots=True)
class NumberVerifier:
    """Compares the declared number with the reference, exactly; where none is declared, perhaps the last one."""

    fall_back: bool = False

    @property
    def version(self) -> str:
        return "number/3+last" if self.fall_back else "number/3"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        last = last_number if self.fall_back else None
        found = extract(response, finish_reason, _read, Number.equals, last, _restates)
        return found.verdict(self.version, partial(_compare, observation.answer))

    def declare(self, observation: Observation) -> str:
        return f"\n#### {observation.answer}"


def declares(text: str) -> bool:
    """Return whether a text declares one number that can be read, and nothing after it speaks."""
    return extract(text, FinishReason.EOS, _read, Number.equals, None, _restates).answer is not None


def _compare(written: str, value: Number) -> tuple[Outcome, str]:
    reference = reference_number(written)
    if reference is None:
        return Outcome.UNDECIDED, f"the reference {written!r} is not a number"
    if value.equals(reference):
        return Outcome.RIGHT, "equals the reference"
    if value.may_equal(reference):
        return Outcome.UNDECIDED, f"equals the reference {written} only in another reading, e.g. of its unit"
    return Outcome.WRONG, f"differs from the reference {written}"


def _restates(value: Number, sentence: str) -> bool | None:
    """Return whether a conclusion has this number alone, as "So she has 72 clips." does; nothing for other sentences."""
    found = last_number(sentence) if _CONCLUDES.match(sentence) else None
    if found is None:
        return None
    if found.doubt or any(character.isdigit() for character in sentence[: found.start]):
        return False
    read = _read(found)
    return isinstance(read, Parsed) and value.equals(read.value) and not what_speaks(read.rest)


def _read(declared: Declared) -> Parsed[Number] | Unclear | None:
    if declared.pattern == BOXED:
        return _read_box(declared)
    read = read_number(declared.text + declared.following)
    if declared.pattern == HASHES:
        is_heading = isinstance(read, Parsed) and _LIST_MARKER.match(declared.text) and what_speaks(read.rest)
        return None if is_heading else read
    if read is None and any(character.isdigit() for character in declared.text):
        return Unclear("what is declared does not begin with a number")
    return read


def _read_box(declared: Declared) -> Parsed[Number] | Unclear | None:
    """Read a box with the unit that follows it; anything else that follows is the rest."""
    inside, following = read_number(declared.text), declared.following
    if "!" in declared.text:
        return Unclear("a factorial is no number")
    if not following or not isinstance(inside, Parsed):
        return inside
    goes_on = _FORMULA_GOES_ON.match(following) or "=" in head_of(following)
    read = None if goes_on else read_number(declared.text + following)
    if isinstance(read, Parsed):
        return read
    if what_speaks(following) or (not goes_on and any(letter.isalpha() for letter in following)):
        return inside._replace(rest=following)
    return Unclear(f"the box goes on: {following.strip()[:40]!r}")


def last_number(text: str) -> Declared | None:
    """Return the last number of a text that declares none, with what follows it on its line."""
    numbers = list(_LAST_NUMBER.finditer(text, max(0, len(text) - _REACH)))
    if not numbers:
        return None
    found = found_undeclared(text, numbers[-1], LAST_NUMBER)
    before = text[max(0, numbers[-1].start() - 60) : numbers[-1].start()].rpartition("\n")[2]
    before = without_marks(before)
    if _PART_OF_MORE.search(before) or _NAMED_BY_NUMBER.search(before):
        return found._replace(doubt="the last number is a part of something else")
    return found
