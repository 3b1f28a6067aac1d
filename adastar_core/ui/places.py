"""Where in a response the answer stands that its verdict is about.

Verdicts do not record the place. A verifier that is quick finds it again; where that fails the answer's text is looked for.
"""

from adastar_core.records import FinishReason, Observation
from adastar_core.verifiers.catalogue import CAN_FALL_BACK, VERIFIER_NAMES, open_verifier

# Formulas are compared in other processes: too much for a page.
_QUICK = {
    verifier.version: verifier
    for name in VERIFIER_NAMES
    for fall_back in (False, True)
    if name != "math" and (name in CAN_FALL_BACK or not fall_back)
    for verifier in [open_verifier(name, fall_back=fall_back)]
}


def place_of(
    verifier: str | None, observation: Observation, response: str, finish_reason: str, extracted: str | None
) -> tuple[int, int] | None:
    """Return the first character of the answer that was read, and the one after its last.

    ``None`` where this code has another version of the verifier, reads another answer, or would take long.
    """
    if extracted is None or verifier not in _QUICK:
        return None
    verdict = _QUICK[verifier].verify(observation, response, FinishReason(finish_reason))
    return verdict.span if verdict.extracted == extracted else None
