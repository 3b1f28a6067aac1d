"""Every verifier that a configuration can name, and how to open it."""

import os
from typing import Annotated, Literal, get_args

import yaml
from pydantic import BeforeValidator, Discriminator, Tag, TypeAdapter, ValidationError

from adastar_core.errors import ConfigError
from adastar_core.machine.plugins import call_plugin, plugin_names
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.choice import ChoiceVerifier
from adastar_core.verifiers.custom import CustomVerifier, CustomVerifierSettings, OwnVerifier
from adastar_core.verifiers.exact import ExactVerifier
from adastar_core.verifiers.expression import ExpressionVerifier
from adastar_core.verifiers.label import LabelVerifier
from adastar_core.verifiers.math import MathVerifier
from adastar_core.verifiers.number import NumberVerifier
from adastar_core.verifiers.yes_no import YesNoVerifier

VerifierName = Literal["number", "choice", "yes_no", "label", "math", "exact", "expression"]
VERIFIER_NAMES: tuple[VerifierName, ...] = get_args(VerifierName)
_MOST_WORKERS = 8
CAN_FALL_BACK: tuple[VerifierName, ...] = ("number", "choice", "yes_no")
_BUILT_IN = (
    NumberVerifier,
    ChoiceVerifier,
    YesNoVerifier,
    LabelVerifier,
    MathVerifier,
    ExactVerifier,
    ExpressionVerifier,
)


def _path_alone(value: object) -> object:
    """Accept ``verifier: my_module:Name``, or an entry point's name, for ``verifier: {path: my_module:Name}``."""
    if isinstance(value, str) and value not in VERIFIER_NAMES:
        return {"path": value} if ":" in value or value in plugin_names("verifiers") else value
    return value


VerifierSettings = Annotated[
    Annotated[VerifierName, Tag("[name]")] | Annotated[CustomVerifierSettings, Tag("[custom]")],
    Discriminator(lambda value: "[name]" if isinstance(value, str) else "[custom]"),
    BeforeValidator(_path_alone),
]
"""A verifier by name, or one of the user's own."""


def parse_verifier(text: str) -> VerifierName | CustomVerifierSettings:
    """Return the verifier that a command's option names; ``{path: ..., options: ...}`` is read as YAML.

    Raises:
        ConfigError: It is no built-in name, no import path and no entry point.
    """
    try:
        value = yaml.safe_load(text) if text.startswith("{") else text
        found: VerifierName | CustomVerifierSettings = TypeAdapter(VerifierSettings).validate_python(value)
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError(
            f"{text!r} is no verifier. Give one of {', '.join(VERIFIER_NAMES)}, an import path such as "
            "my_package.my_module:Name, or the name of an entry point of adastar.verifiers."
        ) from error
    return found


def open_verifier(
    named: VerifierName | CustomVerifierSettings, *, fall_back: bool = False, key: str = "problem.verifier"
) -> Verifier:
    """Return the verifier of this name, or the user's own; messages name the configuration's ``key``.

    With ``fall_back`` the last number, letter, or yes or no counts in a response that declares no answer.

    Raises:
        ConfigError: This kind of answer has nothing to fall back on, or the user's own cannot be used.
    """
    if fall_back and named not in CAN_FALL_BACK:
        name = named if isinstance(named, str) else named.path
        raise ConfigError(
            f"fall_back (true) needs a verifier of {', '.join(CAN_FALL_BACK)}, not {name}: there is no last number or "
            "letter to take. Set fall_back to false."
        )
    match named:
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
        case "expression":
            return ExpressionVerifier()
        case CustomVerifierSettings(path=path, options=options):
            made = call_plugin(path, "verifiers", f"{key}.path", (), options)
            return adopt_verifier(made, f"{key}.path: {path}")


def adopt_verifier(made: object, whose: str) -> Verifier:
    """Return an object of the user's, from ``whose`` key and value in the configuration, as a verifier.

    Raises:
        ConfigError: It lacks them, its version is no text, or begins with a built-in verifier's name.
    """
    if type(made) in _BUILT_IN:
        built_in: Verifier = made  # type: ignore[assignment]
        return built_in
    if isinstance(made, type) or not isinstance(made, OwnVerifier):
        raise ConfigError(
            f"{whose} makes a {type(made).__name__}, which lacks version or verify; see adastar_core.verifiers.custom.OwnVerifier."
        )
    version: object = made.version
    if not isinstance(version, str) or not version.strip() or not version.isprintable():
        raise ConfigError(f"{whose} has the version {version!r}. Give a name and a number, e.g. 'units/1'.")
    if version.partition("/")[0] in VERIFIER_NAMES:
        raise ConfigError(
            f"{whose} has the version {version!r}, and {version.partition('/')[0]} is a built-in verifier. Give another name."
        )
    return CustomVerifier(made)
