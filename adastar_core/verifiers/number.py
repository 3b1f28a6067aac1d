"""The verifier of numeric answers: GSM8K, SVAMP, arithmetic."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.declarations import Declared, found_undeclared
from adastar_core.verifiers.extraction import Parsed, Unclear, extract
from adastar_core.verifiers.numbers import Number, read_number, reference_number

LAST_NUMBER = "last number"
_REACH = 2000
_LAST_NUMBER = re.compile(r"(?<![\w.])[-+]?[$€£]?\d[\d,]*(?:\.\d+)?(?:/\d+)?%?(?![\w/^])")


@dataclass(frozen=True, slots=True)
class NumberVerifier:
    """Compares the declared number with the reference, exactly; where none is declared, perhaps the last one."""

    fall_back: bool = False

    @property
    def version(self) -> str:
        return "number/2+last" if self.fall_back else "number/2"

    def verify(self, observation: Observation, response: str, finish_reason: FinishReason) -> Verdict:
        found = extract(
            response, finish_reason, _read, Number.equals, last_number if self.fall_back else None
        )
        return found.verdict(self.version, partial(_compare, observation.answer))

    def declare(self, observation: Observation) -> str:
        return f"\n#### {observation.answer}"


def _compare(written: str, value: Number) -> tuple[Outcome, str]:
    reference = reference_number(written)
    if reference is None:
        return Outcome.UNDECIDED, f"the reference {written!r} is not a number"
    if value.equals(reference):
        return Outcome.RIGHT, "equals the reference"
    if value.may_equal(reference):
        return Outcome.UNDECIDED, f"equals the reference {written} only in another reading, e.g. of its unit"
    return Outcome.WRONG, f"differs from the reference {written}"


def _read(declared: Declared) -> Parsed[Number] | Unclear | None:
    return read_number(declared.text + declared.following)


def last_number(text: str) -> Declared | None:
    """Return the last number of a text that declares none, with what follows it on its line."""
    numbers = list(_LAST_NUMBER.finditer(text, max(0, len(text) - _REACH)))
    return found_undeclared(text, numbers[-1], LAST_NUMBER) if numbers else None
