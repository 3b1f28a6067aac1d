"""Every verifier that a configuration can name, and how to open it."""

from typing import Literal

from adastar_core.verifiers import Verifier
from adastar_core.verifiers.number import NumberVerifier

VerifierName = Literal["number"]


def open_verifier(name: VerifierName, *, fall_back: bool = False) -> Verifier:
    """Return the verifier of this name.

    Args:
        name: The kind of answer that it judges.
        fall_back: Take the last number or letter of a response that declares no answer.
    """
    match name:
        case "number":
            return NumberVerifier(fall_back)
