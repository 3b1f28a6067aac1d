"""Ends a process with the one that started it, however that ends (on Linux; elsewhere nothing happens).

Run it:  python -m adastar_core.machine.parent PARENT_PID script.py arguments...
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5


def end_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when the parent's thread that started this process ends. Nothing stored is lost.

    Raises:
        SystemExit: The parent has ended already.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        raise SystemExit("the process that started this one has ended")


def end_soon_after(parent: int) -> None:
    """End this process once its parent has changed: for children of threads that end before their process does."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def tied_to_us(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs Python with these arguments, tied to this process."""
    return [sys.executable, "-m", __name__, str(os.getpid()), *arguments]


def main() -> None:
    """Tie this process to its parent, then become what the arguments say."""
    parent, *command = sys.argv[1:]
    end_with(int(parent))
    os.execv(sys.executable, [sys.executable, *command])


if __name__ == "__main__":
    main()
