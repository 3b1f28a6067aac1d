"""How a run's process ended before the run did, as ``adastar runs`` says it."""

from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from adastar_core.errors import AdaStarError
from adastar_core.records import Ending
from adastar_core.store.bulk import storable

_LONGEST_REASON = 2_000
ExplainEnding = Callable[[BaseException], Ending]
"""Tells from what left a run's block how its process ended."""


def ending_of(error: BaseException) -> Ending:
    """Return how a process ended that this error left. A signal that a caller turned into an error is the caller's to tell."""
    if isinstance(error, KeyboardInterrupt):
        return Ending("interrupted", "Ctrl-C.")
    if isinstance(error, AdaStarError):
        said = str(error)
    elif isinstance(error, DBAPIError):  # without the statement and its values
        said = f"The database failed ({error.orig})."
    else:
        said = f"{type(error).__name__}: {error}"
    return Ending("failed", storable(" ".join(said.split())[:_LONGEST_REASON]))
