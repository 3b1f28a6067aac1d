"""The verifier of numeric answers: GSM8K, SVAMP, arithmetic."""

import re
from dataclasses import dataclass
from functools import partial

from adastar_core.records import FinishReason, Observation, Outcome, Verdict
from adastar_core.verifiers.numbers import Number, read_number, reference_number
from adastar_core.verifiers.patterns import Declared, extract
from adastar_core.verifiers.plain import plain

LAST_NUMBER = "last number"
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
            response, finish_reason, read_number, Number.equals, last_number if self.fall_back else None
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


def last_number(text: str) -> Declared | None:
    numbers = _LAST_NUMBER.findall(plain(text[-2000:]))
    return Declared(numbers[-1], LAST_NUMBER) if numbers else None
