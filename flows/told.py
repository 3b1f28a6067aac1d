"""How Prefect's log tells an error that was raised on purpose: in its own words, and once."""

import logging
from weakref import WeakSet

from adastar_core.errors import AdaStarError, UserError


class ToldOnce(logging.Filter):
    """Prefect logs an error in every task and flow that it leaves, each time with the code that it passed.

    The message says what to do. Where in the code it was noticed helps only if another error caused it that is not the user's.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: WeakSet[AdaStarError] = WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record says something new; an error's is given its words."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, AdaStarError):
            return True
        new = error not in self._told
        self._told.add(error)
        record.msg, record.args = str(error), ()
        if isinstance(error, UserError) or error.__cause__ is None:
            record.exc_info = None
        return new


_FILTER = ToldOnce()


def tell_errors_once() -> None:
    """Make the logs of flow runs and task runs tell errors so."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_FILTER)
