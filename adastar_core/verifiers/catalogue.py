"""Every verifier that a configuration can name, and how to open it."""

import os
from typing import Literal, get_args

from adastar_core.errors import ConfigError
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.choice import ChoiceVerifier
from adastar_core.verifiers.exact import ExactVerifier
from adastar_core.verifiers.label import LabelVerifier
from adastar_core.verifiers.math import MathVerifier
from adastar_core.verifiers.number import NumberVerifier
from adastar_core.verifiers.yes_no import YesNoVerifier

VerifierName = Literal["number", "choice", "yes_no", "label", "math", "exact"]
VERIFIER_NAMES: tuple[VerifierName, ...] = get_args(VerifierName)
_MOST_WORKERS = 8
CAN_FALL_BACK: tuple[VerifierName, ...] = ("number", "choice", "yes_no")


def open_verifier(name: VerifierName, *, fall_back: bool = False) -> Verifier:
    """Return the verifier of this name.

    Args:
        name: The kind of answer that it judges.
        fall_back: Take the last number, letter, or yes or no of a response that declares no answer.

    Raises:
        ConfigError: This kind of answer has nothing to fall back on.
    """
    if fall_back and name not in CAN_FALL_BACK:
        raise ConfigError(
            f"fall_back (true) needs a verifier of {', '.join(CAN_FALL_BACK)}, not {name}: there is no last number or "
            "letter to take. Set fall_back to false."
        )
    match name:
        case "number":
            return NumberVerifier(fall_back)
        case "choice":
            return ChoiceVerifier(fall_back)
        case "yes_no":
            return YesNoVerifier(fall_back)
        case "label":
            return LabelVerifier()
        case "math":
            return MathVerifier(workers=min(_MOST_WORKERS, os.cpu_count() or 1))
        case "exact":
            return ExactVerifier()
