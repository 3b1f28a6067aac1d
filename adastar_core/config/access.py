"""The check before a run begins: each text of a configuration leads only where this machine allows.

The type of a field says what kind of text it is (``settings.py``), and each kind has one check. Whatever is opened later is
checked again when it is opened.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_args

from pydantic import BaseModel, SecretStr

from adastar_core.errors import ConfigError
from adastar_core.machine import confine
from adastar_core.machine.paths import path_of
from adastar_core.machine.servers import check_server
from adastar_core.models.source import is_own_name
from adastar_core.settings import TextKind


def _model(name: str, key: str, _group: BaseModel) -> None:
    if not is_own_name(name):
        confine.source(name, key)


def _part(name: str, key: str, _group: BaseModel) -> None:
    """Check what is a file only relative to a folder; the loader, which knows the folder, checks where it leads."""
    if path_of(name, key).is_absolute():
        confine.readable(name, key)


def _base(name: str, key: str, group: BaseModel) -> None:
    if getattr(group, "source", "config") == "config":
        confine.readable(name, key)


def _database(_url: str, key: str, _group: BaseModel) -> None:
    if confine.is_confined():
        raise ConfigError(
            f"{key} cannot be set in a deployment's configuration, which is stored and shown. Ask the operator to set "
            "ADASTAR_DATABASE_URL where the worker starts."
        )


def _cluster(address: str, key: str, _group: BaseModel) -> None:
    if confine.is_confined() and address not in ("auto", os.environ.get("RAY_ADDRESS")):
        raise ConfigError(
            f"{key} = {address!r} is not this worker's cluster, and the owner of a cluster can run code in a process that joins "
            "it. Leave it at auto, or ask the operator to set RAY_ADDRESS where the worker starts."
        )


_CHECKS: dict[TextKind, Callable[[str, str, BaseModel], object]] = {
    **dict.fromkeys(
        (TextKind.NOTHING, TextKind.TEMPLATE, TextKind.OPTION, TextKind.SENT_NAME, TextKind.KEY_VARIABLE),
        lambda *_: None,
    ),
    TextKind.SETTING: lambda *_: None,  # of a configuration that is checked itself
    TextKind.READABLE_PATH: lambda path, key, _: confine.readable(path, key),
    TextKind.DATA_SOURCE: lambda name, key, _: confine.source(name, key),
    TextKind.DATA_PART: _part,
    TextKind.BASE_SOURCE: _base,
    TextKind.MODEL_SOURCE: _model,
    TextKind.CODE_PATH: lambda path, key, _: confine.user_code(path, key),
    TextKind.SERVER_URL: lambda url, _, group: check_server(url, str(getattr(group, "key_variable", ""))),
    TextKind.CLUSTER_ADDRESS: _cluster,
    TextKind.DATABASE_URL: _database,
    TextKind.HOME_PATH: lambda path, key, _: confine.writable(path, key),
    TextKind.OUTPUT_PATH: lambda path, key, _: confine.output(path, key),
}
"""Called with the text, its dotted key, and the group of settings that it belongs to."""


def check_access(settings: BaseModel, prefix: str = "") -> None:
    """Check every text by its kind; raises :class:`ConfigError` with its key if one leads outside."""
    for name, field in type(settings).model_fields.items():
        value, key = getattr(settings, name), prefix + name
        if isinstance(value, BaseModel):
            check_access(value, f"{key}.")
            continue
        if isinstance(value, tuple) and all(isinstance(inner, BaseModel) for inner in value):
            for place, group in enumerate(value):
                check_access(group, f"{key}.{place}.")
            continue
        for kind in kinds_in((field.annotation, *field.metadata)):
            for text in _texts(value):
                _CHECKS[kind](text, key, settings)


def kinds_in(annotations: tuple[object, ...]) -> Iterator[TextKind]:
    """Yield every kind in annotations, however deep."""
    for annotation in annotations:
        if isinstance(annotation, TextKind):
            yield annotation
        else:
            yield from kinds_in(get_args(annotation))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, str | Path):
        yield str(value)
    elif isinstance(value, Mapping | tuple | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)
