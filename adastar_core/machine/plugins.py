"""The user's own parts: samplers, problems, verifiers, generators and monitors.

Each is named by an import path (``package.module:Name`` or ``/path/to/file.py:Name``) or by the name of an entry point, so
that a package on an index extends AdaSTaR. ``docs/extending.md`` has an example of each.
"""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal

from adastar_core.errors import AdaStarError, ConfigError
from adastar_core.machine.confine import user_code
from adastar_core.machine.paths import path_of
from adastar_core.settings import PLUGIN_PATTERN, CodePath, OptionText, Settings, setting

_PACKAGE = Path(__file__).parents[1]
Group = Literal["samplers", "problems", "verifiers", "generators", "monitors"]


class PluginSettings(Settings):
    """Which part of the user's own, and its options."""

    path: CodePath = setting(
        ...,
        "Import path",
        "Where it is: package.module:Name, /path/to/file.py:Name, or the name of an entry point.",
        pattern=PLUGIN_PATTERN,
    )
    options: Mapping[OptionText, OptionText | int | float | bool | None] = setting(
        dict, "Options", "Passed to it by name."
    )


def load_plugin(path: str, group: Group, key: str) -> Callable[..., object]:
    """Return the class or function that an import path, or an entry point of ``adastar.<group>``, names.

    Raises:
        ConfigError: There is no such thing, it cannot be imported, or runs here may not execute it.
    """
    found = _imported(path, key) if ":" in path else _entry_point(path, group, key)
    if not callable(found):
        raise ConfigError(f"{key}: {path} is a {type(found).__name__}. Name a class or a function.")
    return found


def call_plugin(
    path: str, group: Group, key: str, arguments: tuple[object, ...], options: Mapping[str, object]
) -> object:
    """Load a part and call it with the arguments that its kind gets, and with the configured options by name.

    Raises:
        ConfigError: It cannot be loaded or called, does not take these options, or fails.
    """
    part = load_plugin(path, group, key)
    try:
        return part(*arguments, **options)
    except AdaStarError:
        raise
    except Exception as error:
        if isinstance(error, TypeError) and len(traceback.extract_tb(error.__traceback__)) == 1:
            raise ConfigError(f"{key}: {path} cannot be called ({error}). Check its options.") from error
        raise ConfigError(f"{key}: {path} failed {failure(error)}.") from error


def failure(error: Exception) -> str:
    """Return what a part raised, and in which line outside this package, if it came to one."""
    frames = traceback.extract_tb(error.__traceback__)
    outside = [frame for frame in frames if not Path(frame.filename).is_relative_to(_PACKAGE)]
    where = f" at {outside[-1].filename}, line {outside[-1].lineno}" if outside else ""
    return f"({type(error).__name__}: {error}){where}"


def plugin_names(group: Group) -> frozenset[str]:
    """Return the names of the parts that installed packages register."""
    return frozenset(entry_points(group=f"adastar.{group}").names)


def _entry_point(name: str, group: Group, key: str) -> object:
    """Return what an installed package registers. Whoever runs the worker installed it, so it is allowed everywhere."""
    known = entry_points(group=f"adastar.{group}")
    if name not in known.names:
        listed = ", ".join(sorted(known.names)) or "none"
        raise ConfigError(
            f"{key} = {name!r} is no entry point of adastar.{group} (installed: {listed}). Install the package that has it, "
            "or give an import path such as my_package.my_module:Name."
        )
    try:
        return known[name].load()
    except Exception as error:
        raise ConfigError(
            f"{key}: the entry point {name!r} cannot be loaded ({type(error).__name__}: {error})."
        ) from error


def _imported(path: str, key: str) -> object:
    place, _, name = user_code(path, key).rpartition(":")
    try:
        module = _file(str(path_of(place, key))) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:
        raise ConfigError(
            f"{key}: {place} cannot be imported ({type(error).__name__}: {error}). Check the path."
        ) from error
    if not hasattr(module, name):
        raise ConfigError(f"{key}: {place} has no {name!r}. Check the name after the colon.")
    return getattr(module, name)


def _file(place: str) -> ModuleType:
    """Run a file as a module, always from its source: bytecode is cached by size and second, which an edit may leave."""
    loader = SourceFileLoader(f"adastar_plugin_{Path(place).stem}", place)
    spec = importlib.util.spec_from_loader(loader.name, loader)
    if spec is None:
        raise ImportError(f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    exec(loader.source_to_code(loader.get_data(place), place), module.__dict__)
    return module
