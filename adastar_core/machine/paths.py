"""The one place where a text from a user becomes a path."""

import os
from pathlib import Path

from adastar_core.errors import ConfigError

_MOST_SHOWN = 60


def path_of(text: str | os.PathLike[str], key: str) -> Path:
    """Return the path that a user's text names, ``~`` replaced; it need not exist. Messages name the ``key``.

    Raises:
        ConfigError: No path can be made of it: an unknown user's ``~``, a NUL, a loop of links, too long, or closed to this user.
    """
    try:
        path = Path(text).expanduser()
        path.resolve().stat()
    except (FileNotFoundError, NotADirectoryError):
        return path
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"{key} = {_shown(os.fspath(text))} cannot be used as a path ({_shortened(str(reason))}); give another one"
        ) from None
    return path


def _shown(text: str) -> str:
    return ascii(_shortened(text)) if not text.isprintable() else repr(_shortened(text))


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
