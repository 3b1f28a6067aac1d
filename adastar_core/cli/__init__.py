"""The ``adastar`` command: tools around runs. The main job is ``python flows/adastar.py``.

One module per group of commands. Each has ``add(commands)``, which adds its parsers and sets ``action`` to the
function that carries the command out and returns the exit status.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError

from adastar_core.cli import auditing, doctor, judging, reading, reverifying, storage
from adastar_core.errors import AdaStarError

Action = Callable[[argparse.Namespace], int]
_GROUPS = (reading, auditing, storage, doctor, judging, reverifying)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name; ``None`` takes the process's own.

    Returns:
        The exit status: the command's, or that of the error (2 when the user can mend it).
    """
    options = parser().parse_args(arguments)
    action: Action = options.action
    try:
        return action(options)
    except AdaStarError as error:
        print(f"adastar: {error}", file=sys.stderr)
        return error.exit_status
    except DBAPIError as error:
        print(
            f"adastar: the database failed ({error.orig}). The same command goes on from there.",
            file=sys.stderr,
        )
        return AdaStarError.exit_status
    except BrokenPipeError:  # the reader, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="adastar", description="Tools around self-improvement runs.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in _GROUPS:
        group.add(commands)
    return parser
