"""What is wrong with a configuration, in the user's terms: the key, its value, and what to write instead."""

import difflib
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from adastar_core.config import RunConfig
from adastar_core.config.identity import flatten
from adastar_core.config.other_names import meant_by

KEYS_BY_TYPE = ("problem", "sampler")
"""Groups whose keys depend on their type; every other group's stay when a type in it is changed."""
_QUOTED = re.compile(r"'([^']*)'")
_LONGEST = 80
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string_type": "a text",
    "tuple": "a list such as [a, b]",
    "list": "a list such as [a, b]",
    "dict": "a group of keys",
    "model": "a group of keys",
    "path": "a path",
    "date": "a date such as 2026-11-29",
}
"""What a value must be, by how the library's kind of error begins."""


def explain(error: ValidationError) -> str:
    """Return a validation error in the user's terms: each key, its value, and what is wrong with it."""
    lines: list[str] = []
    # By key and value, because each member of a union has its own error.
    choices: dict[tuple[str, str], list[str]] = {}
    for detail in error.errors(include_url=False):
        # Without the tags of the unions that the key lies in.
        parts = [str(part) for part in detail["loc"] if not str(part).startswith(("[", "literal["))]
        if len(parts) > 1 and parts[0] in KEYS_BY_TYPE:
            del parts[1]
        key = ".".join(parts)
        if detail["type"] == "extra_forbidden":
            inner = detail["input"]
            keys = (
                [f"{key}.{name}" for name in flatten(inner)] if isinstance(inner, dict) and inner else [key]
            )
            lines += [f"unknown configuration key {unknown!r}{_suggestion(unknown)}" for unknown in keys]
        elif detail["type"] == "value_error":
            lines.append(f"{key + ': ' if key else ''}{detail['msg'].removeprefix('Value error, ')}")
        elif detail["type"] == "union_tag_invalid":
            choices[f"{key}.type", detail["ctx"]["tag"]] = _QUOTED.findall(detail["ctx"]["expected_tags"])
        elif detail["type"] == "literal_error":
            expected = _QUOTED.findall(detail["ctx"]["expected"])
            choices.setdefault((key, str(detail["input"])), []).extend(expected)
        else:
            lines.append(_in_words(key, detail))
    lines += [_not_among(key, value, known) for (key, value), known in choices.items()]
    message = "Invalid configuration: " + "; ".join(lines)
    return message if message.endswith("?") else f"{message}."


def _in_words(key: str, detail: ErrorDetails) -> str:
    """Return what is wrong with a value, without the words of the library that found it."""
    if detail["type"] == "missing":
        return f"{key} is missing, and has no default"
    kind, bounds = detail["type"], detail.get("ctx", {})
    bound = next((f"{value:g}" for name, value in bounds.items() if name in ("ge", "gt", "le", "lt")), None)
    needed = {
        "greater_than_equal": f"at least {bound}",
        "greater_than": f"more than {bound}",
        "less_than_equal": f"at most {bound}",
        "less_than": f"less than {bound}",
        "string_too_short": "a text that is not empty",
        "string_pattern_mismatch": f"of the form {bounds.get('pattern')}",
    }.get(kind) or next((words for begin, words in _KINDS.items() if kind.startswith(begin)), None)
    if needed is None:
        return f"{key} = {detail['input']!r}: {detail['msg']}"
    return f"{key} must be {needed}, not {_short(detail['input'])}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _not_among(key: str, value: str, known: list[str]) -> str:
    near = difflib.get_close_matches(value, known, n=1)
    suggestion = f"; did you mean {near[0]!r}?" if near else ""
    return f"{key} = {value!r} is not one of {', '.join(known)}{suggestion}"


def schema_keys(schema: Mapping[str, object]) -> set[str]:
    """Return the dotted keys of a JSON schema, those of all alternatives together."""
    definitions = schema.get("$defs", {})
    assert isinstance(definitions, dict)

    def walk(node: object, prefix: str) -> set[str]:
        if not isinstance(node, dict):
            return set()
        if "$ref" in node:
            return walk(definitions[str(node["$ref"]).rsplit("/", 1)[-1]], prefix)
        keys = set()
        for name, child in node.get("properties", {}).items():
            keys |= {prefix + name} | walk(child, f"{prefix}{name}.")
        for branch in (*node.get("oneOf", ()), *node.get("anyOf", ()), *node.get("allOf", ())):
            keys |= walk(branch, prefix)
        return keys

    return walk(dict(schema), "")


@cache
def _schema() -> dict[str, Any]:
    return RunConfig.model_json_schema()


def _suggestion(key: str) -> str:
    """Return what an unknown key may have meant: another type's, another trainer's name, or the closest known key."""
    schema, (head, _, rest) = _schema(), key.partition(".")
    types = schema["properties"].get(head, {}).get("discriminator", {}).get("mapping", {})
    having = [
        name
        for name, target in types.items()
        if rest in schema_keys(schema["$defs"][target.rpartition("/")[2]] | {"$defs": schema["$defs"]})
    ]
    if having and rest:
        first, *others = sorted(having, key=lambda name: name != "table")  # a table before the benchmarks
        also = f" (or {', '.join(others)})" if others else ""
        own = ", which is for data of your own" if first == "table" else ""
        return f": it belongs to {head}={first}{own}{also}. Set that first: --set {head}={first} --set {key}=VALUE"
    if meant := meant_by(key):
        return f": {meant.advice}"
    near = difflib.get_close_matches(key, sorted(schema_keys(schema)), n=1, cutoff=0.6)
    return (
        f"; did you mean {near[0]!r}?" if near else "; --show-config prints all keys of a valid configuration"
    )


def key_of_option(option: str) -> str | None:
    """Return the key that an unknown option such as ``--lr`` or ``--model`` is meant to set; ``None`` if there is none."""
    name = option.lstrip("-").replace("-", "_")
    if name in schema_keys(_schema()):
        return name
    meant = meant_by(name)
    return meant.key if meant else None
