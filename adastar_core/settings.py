"""The base of every configuration class: frozen, unknown keys refused, one documented line per field.

A field that holds text declares what the text is, by its type: plain text, or something that leads outside the process.
``config/access.py`` checks each kind before a run begins. A field of plain ``str`` or ``Path`` fails a test, so that none
is added unguarded.
"""

from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.config import JsonDict


class TextKind(Enum):
    """What a configured text means outside of the process."""

    NOTHING = auto()
    READABLE_PATH = auto()
    DATA_SOURCE = auto()
    DATA_PART = auto()
    BASE_SOURCE = auto()
    MODEL_SOURCE = auto()
    CODE_PATH = auto()
    SERVER_URL = auto()
    CLUSTER_ADDRESS = auto()
    DATABASE_URL = auto()
    HOME_PATH = auto()
    OUTPUT_PATH = auto()


Text = Annotated[str, TextKind.NOTHING]
"""A name of a field, a model's name on a server, an option."""
KeyVariable = Annotated[str, TextKind.NOTHING]
"""An environment variable with a key; checked together with the server that gets the key."""
SettingText = Annotated[str, TextKind.NOTHING]
"""``key=value`` of a configuration that is checked itself."""
ReadablePath = Annotated[str, TextKind.READABLE_PATH]
DataSource = Annotated[str, TextKind.DATA_SOURCE]
DataPart = Annotated[str, TextKind.DATA_PART]
"""A file within the data source's folder, or a path of its own."""
BaseSource = Annotated[str, TextKind.BASE_SOURCE]
ModelSource = Annotated[str, TextKind.MODEL_SOURCE]
CodePath = Annotated[str, TextKind.CODE_PATH]
ServerUrl = Annotated[str, TextKind.SERVER_URL]
ClusterAddress = Annotated[str, TextKind.CLUSTER_ADDRESS]
DatabaseUrl = Annotated[SecretStr, TextKind.DATABASE_URL]
HomePath = Annotated[Path, TextKind.HOME_PATH]
OutputPath = Annotated[Path, TextKind.OUTPUT_PATH]


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
