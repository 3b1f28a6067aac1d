"""What a configuration may reach on a machine where somebody else may have written it.

Whoever can fill in a deployment's form names data, models, folders and code. A process is *confined* when Prefect started it
for a flow run, or when the operator has set ``ADASTAR_CONFINED``, ``ADASTAR_READABLE`` or ``ADASTAR_WRITABLE``. Then paths
lead into the folders that these name (without them: into the data directory), code is what ``ADASTAR_USER_CODE`` names,
and models and data come from the hub only where ``ADASTAR_HUB`` names them. A person's own command is not confined.
"""

import fnmatch
import os
import re
from pathlib import Path

from adastar_core.errors import ConfigError
from adastar_core.machine.home import KEPT, default_home
from adastar_core.machine.paths import path_of

CONFINED = "ADASTAR_CONFINED"
READABLE = "ADASTAR_READABLE"
WRITABLE = "ADASTAR_WRITABLE"
USER_CODE = "ADASTAR_USER_CODE"
HUB = "ADASTAR_HUB"
_OF_A_FLOW_RUN = "PREFECT__FLOW_RUN_ID"
"""Prefect sets it in every process that it starts for a flow run; what such a process starts inherits it."""

RESULTS = re.compile(r"(comparison|runs|accuracy-by-compute)(-selected-on-test)?\.(html|md|tex|csv|png)")
"""The names of the files of a comparison's results."""
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)?")


def is_confined() -> bool:
    """Return whether another user than this process's may have written the configuration."""
    return any(os.environ.get(name) for name in (CONFINED, READABLE, WRITABLE, _OF_A_FLOW_RUN))


def readable(path: str | Path, key: str) -> Path:
    """Return a path after checking that runs may read its target, with links and ``..`` resolved.

    Raises:
        ConfigError: It is no path, or leads outside.
    """
    return _inside(path, key, "read", READABLE, _folders(READABLE) or [default_home()])


def readable_tree(folder: Path, key: str) -> Path:
    """Return ``folder`` as :func:`readable` does, with the same check of all in it, also behind links."""
    waiting, seen = [folder], set[Path]()
    while waiting and is_confined():
        place = readable(waiting.pop(), key)
        if place.is_dir() and place.resolve() not in seen:
            seen.add(place.resolve())
            try:
                waiting += place.iterdir()
            except OSError as error:
                raise ConfigError(f"{key}: {place} cannot be looked into ({error.strerror})") from error
    return readable(folder, key)


def writable(path: str | Path, key: str) -> Path:
    """Return a path as :func:`readable` does, if runs may write there: never in the program's own folders."""
    allowed = [*_folders(WRITABLE), default_home()]
    found = _inside(path, key, "write", WRITABLE, allowed)
    if not is_confined():
        return found
    # The program's own folders: in this data directory, or under these names in the innermost allowed folder.
    target, own = found.resolve(), [(default_home() / name).resolve() for name in KEPT]
    around = [folder for folder in (it.resolve() for it in allowed) if target.is_relative_to(folder)]
    innermost = max(around, key=lambda folder: len(folder.parts))
    named = {part.casefold() for part in target.relative_to(innermost).parts}
    if named.isdisjoint(KEPT) and not any(target.is_relative_to(place) for place in own):
        return found
    raise ConfigError(
        f"{key} = {str(path)!r} is inside a folder where the program keeps runs or the database. Choose a folder whose path has "
        f"none of the names {', '.join(KEPT)} in it."
    )


def output(path: str | Path, key: str) -> Path:
    """Return a folder for results as :func:`writable` does, if it is new, empty, or holds a comparison's results and nothing else.

    Raises:
        ConfigError: It is not, or is the data directory.
    """
    folder = writable(path, key)
    if is_confined() and (folder.resolve() == default_home().resolve() or not _is_free(folder)):
        raise ConfigError(
            f"{key} = {str(path)!r} holds something other than a comparison's results. Choose a new folder, or an empty one."
        )
    return folder


def _is_free(folder: Path) -> bool:
    try:
        there = list(folder.iterdir())
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return all(RESULTS.fullmatch(file.name) and file.is_file() and not file.is_symlink() for file in there)


def source(name: str, key: str) -> None:
    """Check a file, a folder, or a name on the hub.

    Raises:
        ConfigError: It leads outside, or the operator has not named it.
    """
    path = path_of(name, key)
    if path.exists() or not _HUB_NAME.fullmatch(name):
        readable(name, key)
    elif is_confined() and not any(fnmatch.fnmatchcase(name, pattern) for pattern in listed(HUB)):
        raise ConfigError(
            f"{key} = {name!r} is a hub name, and runs here may load only those in {HUB}. Give a path in "
            f"the folders of {READABLE}, or ask the operator to add {name} to {HUB} (* stands for any text)."
        )


def user_code(path: str, key: str) -> str:
    """Return an import path, ``module:Name`` or ``file.py:Name``; confined, only one that the operator names.

    The bare name of an entry point leads only to packages that the operator installed.

    Raises:
        ConfigError: It is no path, or the operator has not allowed it by name.
    """
    located = _located(path, key)
    if ":" not in path or not is_confined():
        return path
    if located in [_located(item, USER_CODE) for item in listed(USER_CODE)]:
        return path
    raise ConfigError(
        f"{key} = {path!r} is code, and runs here execute only code that the operator allows. Ask the operator to review it and "
        f"to set {USER_CODE}={path} where the worker starts."
    )


def _located(path: str, key: str) -> str:
    """Return an import path with its file's path resolved."""
    place, _, name = path.rpartition(":")
    return f"{path_of(place, key).resolve()}:{name}" if place.endswith(".py") else path


def _inside(path: str | Path, key: str, verb: str, variable: str, allowed: list[Path]) -> Path:
    found = path_of(path, key)
    if not is_confined() or any(found.resolve().is_relative_to(folder.resolve()) for folder in allowed):
        return found
    raise ConfigError(
        f"{key} = {str(path)!r} is outside the folders that runs may {verb} here ({', '.join(map(str, allowed))}). "
        f"Choose a place in them, or ask the operator to add its folder to {variable}."
    )


def _folders(variable: str) -> list[Path]:
    return [path_of(folder, variable) for folder in os.environ.get(variable, "").split(os.pathsep) if folder]


def listed(variable: str) -> list[str]:
    """Return the items of a variable, separated by commas or spaces."""
    return re.findall(r"[^,\s]+", os.environ.get(variable, ""))
