"""A sampler of the user's own: see :mod:`adastar_core.machine.plugins` for how it is named."""

from collections.abc import Mapping, Sequence
from typing import Literal

from adastar_core.errors import ConfigError
from adastar_core.machine.plugins import PLUGIN_PATTERN, call_plugin
from adastar_core.samplers import Allocating, Sampler, Statistics
from adastar_core.settings import CodePath, Settings, Text, setting


class CustomSettings(Settings):
    """A sampler of your own, called with the statistics, the run's seed, the observation ids and the options."""

    type: Literal["custom"] = "custom"
    path: CodePath = setting(
        ...,
        "Import path",
        "Where it is: package.module:Name, /path/to/file.py:Name, or an entry point of adastar.samplers.",
        pattern=PLUGIN_PATTERN,
    )
    options: Mapping[Text, Text | int | float | bool | None] = setting(
        dict, "Options", "Passed to it by name."
    )


def open_custom(
    settings: CustomSettings, statistics: Statistics, seed: int, observation_ids: Sequence[str]
) -> Sampler:
    """Return the sampler that the path names.

    Raises:
        ConfigError: It cannot be loaded, runs here may not execute it, or what it makes is no sampler.
    """
    arguments = (statistics, seed, observation_ids)
    made = call_plugin(settings.path, "samplers", "sampler.path", arguments, settings.options)
    if not isinstance(made, Sampler | Allocating):
        raise ConfigError(
            f"sampler.path: {settings.path} makes a {type(made).__name__}, which lacks order, observe or state; "
            "see adastar_core.samplers.Sampler"
        )
    return made
