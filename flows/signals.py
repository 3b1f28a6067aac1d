"""How a command ends when it is told to: SIGTERM and SIGHUP end it as Ctrl-C does, and nothing that it started is left.

Children are tied to this process by the kernel (:mod:`adastar_core.machine.parent`), so that they end even where it is killed.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALLED = 128
"""Exit status of a command that a signal ended: this, and the signal's number."""
_GRACE_SECONDS = 15.0


class Ended(BaseException):
    """The command was told to end.

    Attributes:
        signal: By which signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)

    @property
    def exit_status(self) -> int:
        """Return the status that shells show for the signal."""
        return SIGNALLED + self.signal


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise :class:`Ended` in the block at SIGTERM and SIGHUP, and end the process where that takes long.

    A signal that the caller ignores (``nohup``) stays ignored.
    """
    wanted = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, _end) for one in wanted}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(number: int, _: FrameType | None) -> None:
    force_soon(number)
    raise Ended(number)


def force_soon(number: int) -> None:
    """End this process by force should it still be there in a while: some library waits for a thread or a server."""
    timer = threading.Timer(_GRACE_SECONDS, os._exit, (SIGNALLED + number,))
    timer.daemon = True
    timer.start()
