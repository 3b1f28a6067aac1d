"""Every kind of text that a configuration may hold, and the one check of each that a run passes before it begins.

A field that holds text declares what the text is, by its type: plain text, or something that leads outside the process.
A field of plain ``str`` or ``Path`` fails a test, so that none is added unguarded. What is opened later is checked again there.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

from pydantic import BaseModel, SecretStr

from adastar_core import confine
from adastar_core.errors import ConfigError
from adastar_core.model_source import is_packaged
from adastar_core.paths import path_of
from adastar_core.servers import check_server


@dataclass(frozen=True, slots=True)
class Kind:
    """What a text means outside of the process.

    Attributes:
        check: Called with the text, its dotted key, and the group of settings that it belongs to.
    """

    check: Callable[[str, str, BaseModel], object]


def _model(name: str, key: str, _group: BaseModel) -> None:
    if not is_packaged(name):
        confine.source(name, key)


def _part(name: str, key: str, _group: BaseModel) -> None:
    """Check what is a file only relative to a folder; the loader, which knows the folder, checks where it leads."""
    if path_of(name, key).is_absolute():
        confine.readable(name, key)


def _base(name: str, key: str, group: BaseModel) -> None:
    if getattr(group, "source", "config") == "config":
        confine.readable(name, key)


def _server(url: str, _key: str, group: BaseModel) -> None:
    check_server(url, str(getattr(group, "key_variable", "")))


def _database(_url: str, key: str, _group: BaseModel) -> None:
    if confine.is_confined():
        raise ConfigError(
            f"{key} cannot be set where somebody else may have written the configuration, and would be stored and shown. Ask "
            "the operator to set ADASTAR_DATABASE_URL where the worker starts."
        )


def _cluster(address: str, key: str, _group: BaseModel) -> None:
    if confine.is_confined() and address not in ("auto", os.environ.get("RAY_ADDRESS")):
        raise ConfigError(
            f"{key} = {address!r} is not the cluster of this worker, and whoever owns a cluster can run code in what joins it. "
            "Leave it at auto, or ask the operator to set RAY_ADDRESS where the worker starts."
        )


Text = Annotated[str, Kind(lambda *_: None)]
"""Means nothing outside: a name of a field, a model's name on a server, an option."""
KeyVariable = Annotated[str, Kind(lambda *_: None)]
"""An environment variable with a key; checked together with the server that gets the key."""
SettingText = Annotated[str, Kind(lambda *_: None)]
"""``key=value`` of a configuration that is checked itself."""
ReadablePath = Annotated[str, Kind(lambda path, key, _: confine.readable(path, key))]
DataSource = Annotated[str, Kind(lambda name, key, _: confine.source(name, key))]
DataPart = Annotated[str, Kind(_part)]
BaseSource = Annotated[str, Kind(_base)]
ModelSource = Annotated[str, Kind(_model)]
CodePath = Annotated[str, Kind(lambda path, key, _: confine.user_code(path, key))]
ServerUrl = Annotated[str, Kind(_server)]
ClusterAddress = Annotated[str, Kind(_cluster)]
DatabaseUrl = Annotated[SecretStr, Kind(_database)]
HomePath = Annotated[Path, Kind(lambda path, key, _: confine.writable(path, key))]
OutputPath = Annotated[Path, Kind(lambda path, key, _: confine.output(path, key))]


def check_border(settings: BaseModel, prefix: str = "") -> None:
    """Check every text of a configuration by its kind.

    Raises:
        ConfigError: One leads where it may not; the message names its key.
    """
    for name, field in type(settings).model_fields.items():
        value, key = getattr(settings, name), prefix + name
        if isinstance(value, BaseModel):
            check_border(value, f"{key}.")
            continue
        for kind in kinds_in((field.annotation, *field.metadata)):
            for text in _texts(value):
                kind.check(text, key, settings)


def kinds_in(annotations: tuple[object, ...]) -> Iterator[Kind]:
    """Yield every kind in annotations, however deep."""
    for one in annotations:
        if isinstance(one, Kind):
            yield one
        else:
            yield from kinds_in(get_args(one))


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a field's value."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str | Path):
        yield str(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _texts(inner)
