"""Wait for another process: growing pauses, and a line that says what and whom we wait for."""

import logging
import time
from collections.abc import Callable

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 2.0
_SILENT_SECONDS = 1.0
_logger = logging.getLogger(__name__)

Notify = Callable[[str], None]
"""Shows one line to the user."""


def warn(line: str) -> None:
    """Log the line, where there is no progress display to show it in."""
    _logger.warning(line)


class Waiting:
    """The pauses between two tries; ``notify`` is called when a wait gets long or its holder changes."""

    def __init__(self, what: str, notify: Notify) -> None:
        self._what, self._notify = what, notify
        self._seconds, self._began = _FIRST_PAUSE_SECONDS, time.monotonic()
        self._shown: str | None = None

    def pause(self, holder: str | None) -> None:
        """Sleep before the next try; ``holder`` is who has what we wait for, ``None`` if that is unknown."""
        waited = time.monotonic() - self._began
        if holder not in (None, self._shown) and waited > _SILENT_SECONDS:
            self._notify(f"Waiting for {self._what} ({holder}).")
            self._shown = holder
        time.sleep(self._seconds)
        self._seconds = min(1.5 * self._seconds, _LONGEST_PAUSE_SECONDS)
