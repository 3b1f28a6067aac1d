"""Which fields decide what a run is, and nested settings as flat ones with dotted keys.

A field says by a flag of :func:`adastar_core.settings.setting` which group it belongs to; a group of settings passes its
flag on to its fields. Without a flag a field belongs to the first:

* *identity*: part of what the run is. Continuing a run with another value is refused. A *limit* may be raised, never
  lowered: it only admits more.
* *may grow*: a finished run resumes when such a field is raised.
* *run-time only*: where and how fast, and what is computed up to rounding (``docs/exactness.md``).

A field that is added later is *added* too: at its default it is left out of the identity, so that earlier runs keep
theirs.
"""

from collections.abc import Iterator
from typing import get_args, get_origin

from adastar_core.settings import Role, Settings


def keys_with(role: Role | None, group: type[Settings], prefix: str = "") -> dict[str, object]:
    """Return the dotted keys of the fields that have a role (``None``: of all), with their defaults."""
    found: dict[str, object] = {}
    for name, field in group.model_fields.items():
        wanted = None if role in field.metadata else role
        inner = list(_groups_in(field.annotation))
        for subgroup in inner:
            found |= keys_with(wanted, subgroup, f"{prefix}{name}.")
        if wanted is None and not inner:
            found[prefix + name] = field.get_default(call_default_factory=True, validated_data={})
    return found


def _groups_in(annotation: object) -> Iterator[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    if get_origin(annotation) is not tuple:  # a list of groups is one value, with one key
        for part in get_args(annotation):
            yield from _groups_in(part)


def flatten(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested settings with dotted keys: ``{"a": {"b": 1}}`` becomes ``{"a.b": 1}``."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def nest(flat: dict[str, object]) -> dict[str, object]:
    """Return dotted keys as nested settings, the inverse of :func:`flatten`."""
    nested: dict[str, object] = {}
    for key, value in flat.items():
        head, _, rest = key.partition(".")
        if rest:
            inner = nested.setdefault(head, {})
            assert isinstance(inner, dict)
            inner[rest] = value
        else:
            nested[head] = value
    return {key: nest(value) if isinstance(value, dict) else value for key, value in nested.items()}
