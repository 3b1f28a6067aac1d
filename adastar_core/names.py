"""The names of runs, checked once, so that tables, logs, folders and keys can show them unchanged."""

import hashlib
import re
from dataclasses import dataclass
from datetime import date

from adastar_core.errors import ConfigError

LONGEST = 128
"""Characters of a name."""
ANOTHER = "choose another name with --run NAME (run in the form)"
"""How to, on a command line and in a deployment's form: the errors end in both."""
_DIGITS = 8
_OF_A_RUN = "run:"


@dataclass(frozen=True, slots=True)
class NamedCheckpoint:
    """A run's checkpoint as ``model`` names it, ``run:NAME:ITERATION``; without an iteration the best one is meant."""

    run: str
    iteration: int | None

    @property
    def model(self) -> str:
        return f"{_OF_A_RUN}{self.run}" + ("" if self.iteration is None else f":{self.iteration}")


def checkpoint_named(model: str) -> NamedCheckpoint | None:
    """Return the checkpoint that ``model`` names; ``None`` for a model that is none of a run's."""
    if not model.startswith(_OF_A_RUN):
        return None
    text = model.removeprefix(_OF_A_RUN)
    name, _, iteration = text.rpartition(":")
    if name and iteration.isascii() and iteration.isdigit():
        return NamedCheckpoint(name, int(iteration))
    return NamedCheckpoint(text, None)


def require_name(name: str) -> None:
    """Refuse an invalid name for a new run; existing runs keep theirs.

    Raises:
        ConfigError: The name is empty or too long, begins or ends with a space, or holds what cannot be printed.
    """
    if trouble := _trouble(name):
        raise ConfigError(f"The run's name {shown(name)} {trouble}: {ANOTHER}.")


def _trouble(name: str) -> str | None:
    if not name.strip():
        return "is empty"
    if len(name) > LONGEST:
        return f"has {len(name)} characters; at most {LONGEST} are allowed"
    if name != name.strip():
        return "begins or ends with a space"
    if odd := next((character for character in name if not character.isprintable()), None):
        return f"holds {odd!a}, which tables and logs cannot show"
    return None


def is_storable(name: str) -> bool:
    """Return whether a database can hold the name at all: it has neither NUL nor half a surrogate pair."""
    return "\0" not in name and not any("\ud800" <= character <= "\udfff" for character in name)


def shown(name: str) -> str:
    """Return a name in quotes, shortened, with unprintable characters escaped."""
    short = name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in repr(short))


def named_after(text: str, longest: int) -> str:
    """Return the part of a name that comes from a file's: itself, or a tidy form if it could not name a run."""
    tidy = re.sub("[^A-Za-z0-9._-]+", "-", text)[: longest - _DIGITS - 1]
    return text if _trouble(text) is None and len(text) <= longest else f"{tidy}-{digest(text)}"


def dated(name: str, day: date) -> str:
    """Return the name of a separate run made on a day in place of ``name``."""
    longest = LONGEST - len(f"-{day.isoformat()}")
    short = name if len(name) <= longest else f"{name[: longest - _DIGITS - 1]}-{digest(name)}"
    return f"{short}-{day.isoformat()}"


def key(name: str, what: str) -> str:
    """Return a key of lower-case letters, digits and dashes that no other name shares: readable, and a digest."""
    tidy = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    suffix = re.sub("[^a-z0-9]+", "-", what.lower()).strip("-")
    return "-".join(filter(None, [tidy, digest(name), suffix]))


def digest(name: str) -> str:
    """Return a few digits that identify the name."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
