"""The base of every configuration class: frozen, unknown keys refused, one documented line per field.

A field that holds text declares what the text is, by its type: plain text, or something that leads outside the process.
``config/access.py`` checks each kind before a run begins. A field of plain ``str`` or ``Path`` fails a test, so that none
is added unguarded.
"""

# ruff: noqa: ANN401 (a field stands where a value of any type is expected)

import string
from enum import Enum, auto
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.config import JsonDict


class TextKind(Enum):
    """What a configured text means outside of the process."""

    NOTHING = auto()
    TEMPLATE = auto()
    OPTION = auto()
    SENT_NAME = auto()
    KEY_VARIABLE = auto()
    SETTING = auto()
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


TEMPLATE_FIELDS = {
    "question": "the question",
    "choices": "its options, a line each: (A) text",
    "labels": "the options' labels: A, B, C",
}
"""What every problem's templates may show. Any other field names a column of a table, as it is spelt, without formats."""


def parts_of(template: str) -> tuple[tuple[str, str | None], ...]:
    """Return a template's literal texts, each with the field that follows it.

    Raises:
        ValueError: Braces do not match, or something else than a name is between them.
    """
    try:
        read = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(
            f"has a brace without its partner ({error}); write {{{{ and }}}} for braces that are text"
        ) from error
    for _, field, form, conversion in read:
        if field is not None and (not field.strip() or form or conversion):
            shown = field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise unknown_field(shown)
    return tuple((literal, field) for literal, field, *_ in read)


def columns_of(template: str) -> tuple[str, ...]:
    """Return the columns of a table that a template shows besides question and options, in their order."""
    named = dict.fromkeys(field for _, field in parts_of(template) if field is not None)
    return tuple(name for name in named if name not in TEMPLATE_FIELDS)


def unknown_field(field: str) -> ValueError:
    """Return the error about what stands between braces and is no field."""
    known = ", ".join(f"{{{name}}}" for name in TEMPLATE_FIELDS)
    return ValueError(
        f"has the unknown field {{{field}}}; the fields are {known} and, of a table, its columns by their names alone. "
        "{{ and }} are braces that are text"
    )


def checked_prompt(template: str) -> str:
    """Return a template that asks something; raises ``ValueError`` for another."""
    if "question" not in {field for _, field in parts_of(template)}:
        raise ValueError(
            "has no {question}; add it where the question goes, whose column problem.question names"
        )
    return template


def checked_message(template: str) -> str:
    """Return a template, of a system message; raises ``ValueError`` for what is none."""
    parts_of(template)
    return template


Text = Annotated[str, TextKind.NOTHING]
"""A word that is compared or shown: a column, a module of the model, a run's name."""
OptionText = Annotated[str, TextKind.OPTION]
"""Handed to a part of the user's own, or to a monitor."""
SentName = Annotated[str, TextKind.SENT_NAME]
"""Sent to the server or the hub that another field names."""
PromptTemplate = Annotated[str, TextKind.TEMPLATE, AfterValidator(checked_prompt)]
SystemTemplate = Annotated[str, TextKind.TEMPLATE, AfterValidator(checked_message)]
OWN_KEY = "ADASTAR_SERVER_API_KEY"
"""The variable whose key a server on this machine may always be sent (``machine/servers.py``)."""
KeyVariable = Annotated[str, TextKind.KEY_VARIABLE]
"""An environment variable with a key; checked together with the server that gets the key."""
SettingText = Annotated[str, TextKind.SETTING]
"""``key=value`` of a configuration that is checked itself."""
SettingValue = Annotated[object, TextKind.SETTING]
"""The value of such a key."""
ReadablePath = Annotated[str, TextKind.READABLE_PATH]
DataSource = Annotated[str, TextKind.DATA_SOURCE]
DataPart = Annotated[str, TextKind.DATA_PART]
"""A file within the data source's folder, or a path of its own."""
BaseSource = Annotated[str, TextKind.BASE_SOURCE]
ModelSource = Annotated[str, TextKind.MODEL_SOURCE]
CodePath = Annotated[str, TextKind.CODE_PATH]
PLUGIN_PATTERN = r"^(.+:)?[A-Za-z_][\w.-]*$"
"""Of a code path: an import path, or the name of an entry point."""
ServerUrl = Annotated[str, TextKind.SERVER_URL]
ClusterAddress = Annotated[str, TextKind.CLUSTER_ADDRESS]
DatabaseUrl = Annotated[SecretStr, TextKind.DATABASE_URL]
HomePath = Annotated[Path, TextKind.HOME_PATH]
OutputPath = Annotated[Path, TextKind.OUTPUT_PATH]


class Role(Enum):
    """What a field, or a whole group, is to a run besides a part of its identity (``config/identity.py``)."""

    RUN_TIME = auto()
    MAY_GROW = auto()
    LIMIT = auto()
    ADDED = auto()


def _number_fields(schema: JsonDict) -> None:
    """Give every property its place in the deployment's form, which Prefect sorts by ``position``.

    A group's ``type``, which tells it from its alternatives, comes first.
    """
    properties = schema.get("properties", {})
    assert isinstance(properties, dict)
    for place, (name, field) in enumerate(properties.items()):
        assert isinstance(field, dict)
        if name == "type" and "const" in field:
            field.update(description="Its type, on which its other keys depend.", position=-1)
        else:
            field["position"] = place


class Settings(BaseModel):
    """A frozen group of configuration fields; an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        protected_namespaces=(),
        json_schema_extra=_number_fields,
    )


def setting(
    default: Any,
    title: str,
    description: str,
    *,
    run_time: bool = False,
    may_grow: bool = False,
    limit: bool = False,
    added: bool = False,
    **bounds: Any,
) -> Any:
    """Declare one configuration field; the form shows fields in the order of declaration.

    Without a role a field is part of what a run is.

    Args:
        default: The value when the key is absent, or a function that returns it.
        title: Label in the form.
        description: One line of help: what it does and its unit.
        run_time: It decides where and how fast, not what.
        may_grow: A finished run resumes when it is raised.
        limit: Part of the identity, but raising it only admits more.
        added: It came after the first runs, and is left out of a run's identity at its default.
        bounds: Pydantic constraints, e.g. ``ge=1``.
    """
    roles = {Role.RUN_TIME: run_time, Role.MAY_GROW: may_grow, Role.LIMIT: limit, Role.ADDED: added}
    given = {"default_factory" if callable(default) else "default": default}
    field = Field(**given, title=title, description=description, **bounds)
    field.metadata.extend(role for role, applies in roles.items() if applies)
    return field


def method_setting(default: Any, title: str, description: str, *, added: bool = False, **bounds: Any) -> Any:
    """Declare a field that a method may decide, as :func:`setting` does.

    A deployment's form fills in and sends every default in its schema. This default is left out: a field that is left
    empty is the method's. A switch is always on or off, so a field of two values is a choice.
    """

    def extra(schema: JsonDict) -> None:
        schema.pop("default", None)
        if schema.get("type") == "boolean":
            schema["anyOf"] = [{"type": "string", "enum": ["true", "false"]}, {"type": schema.pop("type")}]

    field = Field(default, title=title, description=description, json_schema_extra=extra, **bounds)
    field.metadata.extend([Role.ADDED] if added else [])
    return field
