"""Runs a Python script in a process that ends when its parent ends, however that ends (Linux).

Run it:  python flows/leash.py PARENT_PID script.py arguments...
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGKILL at the parent's death, then become the script. A killed run loses nothing that it has stored."""
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == int(parent):  # it may have died before the line above
        os.execv(sys.executable, [sys.executable, *command])


if __name__ == "__main__":
    main()
