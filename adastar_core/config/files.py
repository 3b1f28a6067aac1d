"""From presets, YAML files and ``--set`` to a validated :class:`RunConfig`, with errors that name the key."""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from adastar_core.config import RunConfig, methods
from adastar_core.config.explain import KEYS_BY_TYPE, explain
from adastar_core.errors import ConfigError

DEFAULT_PRESET = "quickstart"
_PRESETS = Path(__file__).parents[1] / "presets"
_ROWS = "smoke/"
_QUOTES = ("'", '"', "|", ">", "!", "")
_FIELD = re.compile(r"\{\s*\w+\s*\}")
"""A field of a template, such as ``{question}``."""


def preset_names() -> list[str]:
    """Return the names of the ready-made runs, the default one first."""
    names = [path.stem for path in _PRESETS.glob("*.yaml")]
    return sorted(names, key=lambda name: (name != DEFAULT_PRESET, name))


def preset_summary(name: str) -> str:
    """Return a preset's first line, a comment that says what it is."""
    return _preset_text(name).splitlines()[0].removeprefix("#").strip()


def load_preset(name: str) -> dict[str, object]:
    """Return a preset's keys; rows that lie beside it are named by their full path."""
    values = _parse(_preset_text(name), f"preset {name}")
    problem = values["problem"]
    if isinstance(problem, dict) and str(problem.get("path", "")).startswith(_ROWS):
        values["problem"] = {**problem, "path": str(_PRESETS / str(problem["path"]))}
    return values


def load_file(path: Path) -> dict[str, object]:
    """Return a YAML file's keys; raises :class:`ConfigError` if it cannot be read or is not a mapping."""
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path} cannot be read: {reason}. Give the path of a YAML file.") from error


def resolve(values: Mapping[str, object], overrides: Iterable[str] = ()) -> RunConfig:
    """Return the configuration that ``values`` and then ``key.path=value`` overrides describe.

    Raises:
        ConfigError: A key is unknown, a value is out of bounds, or two values disagree.
    """
    try:
        return RunConfig.model_validate(overridden(values, overrides))
    except ValidationError as error:
        raise ConfigError(explain(error)) from None


def overridden(values: Mapping[str, object], overrides: Iterable[str]) -> dict[str, object]:
    """Return ``values`` with ``key.path=value`` overrides, not validated yet."""
    overrides = list(overrides)
    pairs = [text.partition("=") for text in overrides]
    named = [value.strip() for key, _, value in pairs if key.strip() == "method"]
    # A method that is named later replaces the preset's values; the other overrides replace the method's.
    merged = methods.merge(values, methods.settings_of(named[-1])) if named else dict(values)
    for override in overrides:
        merged = _with_override(merged, override)
    return merged


def _preset_text(name: str) -> str:
    if name not in preset_names():
        near = difflib.get_close_matches(name, preset_names(), n=3) or preset_names()[:3]
        raise ConfigError(
            f"There is no preset {name!r}; nearest: {', '.join(near)}. --list-presets shows them all."
        )
    return (_PRESETS / f"{name}.yaml").read_text(encoding="utf-8")


def _parse(text: str, source: str) -> dict[str, object]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}. Fix that line.") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{source} holds no configuration; it must be a YAML mapping such as `seed: 0`.")
    return {str(key): value for key, value in values.items()}


def _with_override(values: dict[str, object], override: str) -> dict[str, object]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"--set {override!r} is not of the form key.path=value, e.g. --set trainer.batch_size=16."
        )
    return _replaced(values, key.strip().split("."), _value(text))


def _value(text: str) -> object:
    """Return what an override's value means in YAML. What is no YAML is text as it is, and so is a template.

    YAML reads ``{question}`` as a mapping and ``Q: {question}`` as two, which no field takes. It drops line breaks and
    what follows `` #``, which no command line means.
    """
    try:
        value: object = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    plain = isinstance(value, str) and text.lstrip()[:1] not in _QUOTES
    template = isinstance(value, dict | list) and _FIELD.search(text)
    return text if plain or template else value


def _replaced(values: dict[str, object], path: list[str], value: object) -> dict[str, object]:
    """Return ``values`` with the dotted ``path`` set; a group named by its type alone becomes a mapping."""
    head, *rest = path
    if not rest:
        return {**values, head: value}
    inner = values.get(head)
    group = {"type": inner} if isinstance(inner, str) else inner if isinstance(inner, dict) else {}
    if rest == ["type"] and head in KEYS_BY_TYPE and group.get("type") != value:
        group = {}  # the keys of another type
    return {**values, head: _replaced(group, rest, value)}
