"""Keeps configured paths inside folders that the operator allows.

Whoever can fill in a deployment's form names data and model paths, and what is read may end up in a report. On
a shared worker set ``ADASTAR_READABLE`` to the folders that runs may read, separated like ``PATH``; when it is not
set, as on a person's own machine, every path is allowed. The image sets it to ``/data``.
"""

import os
from pathlib import Path

from adastar_core.errors import ConfigError

VARIABLE = "ADASTAR_READABLE"


def confined(path: Path, key: str) -> Path:
    """Return ``path`` as it is, after checking that what it leads to lies in an allowed folder.

    Links and ``..`` are followed first.

    Args:
        path: A path from a configuration.
        key: The configuration key that names it, for the message.

    Raises:
        ConfigError: It lies elsewhere.
    """
    allowed = [Path(folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    target = path.resolve()
    if allowed and not any(target.is_relative_to(folder.resolve()) for folder in allowed):
        raise ConfigError(
            f"{key} = {str(path)!r} leads outside the folders that runs may read here ({VARIABLE}: "
            f"{', '.join(map(str, allowed))}). Put the files there, or ask the operator to allow their folder."
        )
    return path
