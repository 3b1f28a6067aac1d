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
from adastar_core.home import default_home

CONFINED = "ADASTAR_CONFINED"
READABLE = "ADASTAR_READABLE"
WRITABLE = "ADASTAR_WRITABLE"
USER_CODE = "ADASTAR_USER_CODE"
HUB = "ADASTAR_HUB"
_OF_A_FLOW_RUN = "PREFECT__FLOW_RUN_ID"
"""Prefect sets it in every process that it starts for a flow run; what such a process starts inherits it."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)?")


def is_confined() -> bool:
    """Return whether somebody else than this process's own user may have written the configuration."""
    return any(os.environ.get(name) for name in (CONFINED, READABLE, WRITABLE, _OF_A_FLOW_RUN))


def readable(path: Path, key: str) -> Path:
    """Return ``path`` as it is, after checking that runs may read where it leads; links and ``..`` are followed first.

    Args:
        path: A path from a configuration.
        key: The configuration key that names it, for the message.

    Raises:
        ConfigError: It leads outside.
    """
    return _inside(path, key, "read", READABLE, _folders(READABLE) or [default_home()])


def writable(path: Path, key: str) -> Path:
    """Return ``path`` as :func:`readable` does, if runs may write where it leads; into the data directory they always may.

    Raises:
        ConfigError: It leads outside.
    """
    return _inside(path, key, "write", WRITABLE, [*_folders(WRITABLE), default_home()])


def source(name: str, key: str) -> None:
    """Check a file, a folder, or a name on the hub.

    Raises:
        ConfigError: It leads outside, or the operator has not named it.
    """
    path = Path(name).expanduser()
    if path.exists() or not _HUB_NAME.fullmatch(name):
        readable(path, key)
    elif is_confined() and not any(fnmatch.fnmatchcase(name, pattern) for pattern in _listed(HUB)):
        raise ConfigError(
            f"{key} = {name!r} is a name on the hub, and runs here may load none but those in {HUB}. Give a path in "
            f"the folders of {READABLE}, or ask the operator to add {name} to {HUB} (* stands for any text)."
        )


def user_code(path: str, key: str) -> str:
    """Return an import path, ``module:Name`` or ``file.py:Name``; confined, only one that the operator names.

    Raises:
        ConfigError: The operator has not allowed it by name.
    """
    if not is_confined() or _located(path) in map(_located, _listed(USER_CODE)):
        return path
    raise ConfigError(
        f"{key} = {path!r} is code, and runs here execute none but what the operator names. Ask the operator to review it and "
        f"to set {USER_CODE}={path} where the worker starts."
    )


def _located(path: str) -> str:
    """Return an import path with its file's place, links and ``..`` followed, in place of its name."""
    place, _, name = path.rpartition(":")
    return f"{Path(place).expanduser().resolve()}:{name}" if place.endswith(".py") else path


def _inside(path: Path, key: str, verb: str, variable: str, allowed: list[Path]) -> Path:
    if not is_confined():
        return path
    target = path.expanduser().resolve()
    if any(target.is_relative_to(folder.expanduser().resolve()) for folder in allowed):
        return path
    raise ConfigError(
        f"{key} = {str(path)!r} leads outside the folders that runs may {verb} here ({', '.join(map(str, allowed))}). "
        f"Choose a place in them, or ask the operator to add its folder to {variable}."
    )


def _folders(variable: str) -> list[Path]:
    """Return the folders that a variable lists as ``PATH`` does."""
    return [Path(folder) for folder in os.environ.get(variable, "").split(os.pathsep) if folder]


def _listed(variable: str) -> list[str]:
    """Return what a variable lists, with commas or spaces between."""
    return re.split(r"[,\s]+", os.environ.get(variable, "").strip()) if os.environ.get(variable) else []
