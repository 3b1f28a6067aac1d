"""A sampler of the user's own, loaded by its import path: nothing in the package needs to change.

The path is ``package.module:Name`` or ``/path/to/file.py:Name``. ``Name`` is called with the statistics, the run's
seed, the observation ids and the options, and returns an :class:`adastar_core.samplers.Sampler`::

    class NewestFirst:
        def __init__(self, statistics, seed, observation_ids, **options): ...
"""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Literal

from pydantic import Field

from adastar_core.errors import ConfigError
from adastar_core.machine.confine import user_code
from adastar_core.samplers import Allocating, Sampler, Statistics
from adastar_core.settings import CodePath, Settings, Text, setting


class CustomSettings(Settings):
    """A sampler of your own."""

    type: Literal["custom"] = "custom"
    path: CodePath = Field(
        title="Import path",
        description="Where it is: package.module:Name or /path/to/file.py:Name.",
        pattern=r"^.+:[A-Za-z_]\w*$",
        json_schema_extra={"position": 0},
    )
    options: Mapping[Text, Text | int | float | bool | None] = setting(
        dict, 1, "Options", "Passed to it by name."
    )


def open_custom(
    settings: CustomSettings, statistics: Statistics, seed: int, observation_ids: Sequence[str]
) -> Sampler:
    """Return the sampler that the path names.

    Raises:
        ConfigError: Its code is not for runs here, the module or the name is not there, or what it makes is no sampler.
    """
    place, _, name = user_code(settings.path, "sampler.path").rpartition(":")
    module = _load(place)
    if not hasattr(module, name):
        raise ConfigError(f"sampler.path: {place} has no {name!r}; check the name after the colon")
    made = getattr(module, name)(statistics, seed, observation_ids, **settings.options)
    if not isinstance(made, Sampler | Allocating):
        raise ConfigError(
            f"sampler.path: {settings.path} makes a {type(made).__name__}, which lacks order, observe or state; "
            "see adastar_core.samplers.Sampler"
        )
    return made


def _load(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(f"adastar_custom_{Path(place).stem}", place)
        assert spec is not None, "a .py file has a loader"
        assert spec.loader is not None, "a .py file has a loader"
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (ImportError, OSError, SyntaxError) as error:
        raise ConfigError(f"sampler.path: {place} cannot be imported ({error}); check the path") from error
    return module
