"""Wait for another process: growing pauses, locks, and a line that says what and whom we wait for."""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def file_lock(file: Path, what: str) -> Iterator[None]:
    """Hold the lock of a file, which is made if need be; ``what`` is awaited while another process holds it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        take_lock(descriptor, file, what)
        yield
    finally:
        os.close(descriptor)


def take_lock(descriptor: int, file: Path, what: str) -> None:
    """Lock an open file until it is closed, after waiting for another process that holds it."""
    waiting = Waiting(what, warn)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting.pause(f"which holds {file}")
        else:
            return
