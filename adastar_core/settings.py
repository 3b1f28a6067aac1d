"""The base of every configuration class: frozen, unknown keys refused, one documented line per field."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict


def _place_type_first(schema: JsonDict) -> None:
    """Describe a group's ``type``, which tells it from its alternatives, and put it before the group's fields."""
    properties = schema.get("properties")
    kind = properties.get("type") if isinstance(properties, dict) else None
    if isinstance(kind, dict) and "const" in kind:
        kind.update(description="Which one.", position=-1)


class Settings(BaseModel):
    """A frozen group of configuration fields; an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        protected_namespaces=(),
        json_schema_extra=_place_type_first,
    )


def setting(default: Any, position: int, title: str, description: str, **bounds: Any) -> Any:  # noqa: ANN401
    """Declare one configuration field.

    Args:
        default: The value when the key is absent.
        position: Where the field stands in the deployment's form, counted from 0.
        title: The field's label in the form.
        description: One line of help: what it does and its unit.
        bounds: Pydantic constraints, e.g. ``ge=1``.

    Returns:
        A pydantic field. ``Any`` because it stands where a value of the field's type is expected.
    """
    extra: JsonDict = {"position": position}
    if callable(default):
        return Field(
            default_factory=default, title=title, description=description, json_schema_extra=extra, **bounds
        )
    return Field(default, title=title, description=description, json_schema_extra=extra, **bounds)


def method_setting(default: Any, position: int, title: str, description: str, **bounds: Any) -> Any:  # noqa: ANN401
    """Declare a field that a method may decide, as :func:`setting` does.

    A deployment's form fills in and sends every default that it is told. This one it is not told: a field that is left
    empty is the method's. A switch is always on or off, so a field of two values is a choice.
    """

    def extra(schema: JsonDict) -> None:
        schema["position"] = position
        schema.pop("default", None)
        if schema.get("type") == "boolean":
            schema["anyOf"] = [{"type": "string", "enum": ["true", "false"]}, {"type": schema.pop("type")}]

    return Field(default, title=title, description=description, json_schema_extra=extra, **bounds)
