"""SIGTERM and SIGHUP end a command as Ctrl-C does, with everything that it started.

The kernel ends its children with it even if it is killed (:mod:`adastar_core.machine.parent`).
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALLED = 128
"""Exit status of a command that a signal ended, without the signal's number."""
_GRACE_SECONDS = 15.0


class Ended(BaseException):
    """A signal asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)

    @property
    def exit_status(self) -> int:
        return SIGNALLED + self.signal


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise :class:`Ended` in the block at SIGTERM and SIGHUP, and end the process if that takes long.

    A signal that the caller ignores (``nohup``) stays ignored.
    """
    signals = (signal.SIGTERM, signal.SIGHUP)
    heeded = [number for number in signals if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _end) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    force_soon(number)
    raise Ended(number)


def force_soon(number: int, seconds: float = _GRACE_SECONDS) -> None:
    """End this process by force if it is still there in a while, because a library waits for a thread or a server."""
    timer = threading.Timer(seconds, os._exit, (SIGNALLED + number,))
    timer.daemon = True
    timer.start()
