"""What all command lines share: how help looks, and how a command ends."""

import os
import sys

from cyclopts import App, CycloptsError, Group, Parameter

from adastar_core.machine.version import code_version
from adastar_core.machine.visible import json_text

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""
MISUSED = 2
"""Exit status when the options cannot be understood; it is that of every error that the user can fix."""
OPTIONS = Group("Options", sort_key=1)
Flag = Parameter(show_default=False)
"""For switches and what may be repeated: without them the value is clear."""
STARTED_BY = "ADASTAR_COMMAND"
"""Set for a flow that an `adastar` command starts, so that its help and its errors name that command."""


def new_app(name: str, help_: str, examples: str | None = None) -> App:
    """Return a command line without commands. Its errors are raised, for the caller to print."""
    return App(
        name=name,
        help=help_,
        help_epilogue=examples,
        help_format="plaintext",  # a bracket in a help text is a bracket, no markup
        version=lambda: f"adastar {code_version()}",
        group_arguments=Group("Arguments", sort_key=0),
        group_parameters=OPTIONS,
        group_commands=Group("Help", sort_key=9),
        # No --no-json and no --empty-set. The last --run counts, while --set adds to those before.
        default_parameter=Parameter(negative=(), allow_repeating=True),
        result_action="return_value",
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
    )


def flow_name(command: str, script: str) -> str:
    """Return how a flow was called: by the `adastar` command or as a script."""
    return f"adastar {command}" if os.environ.get(STARTED_BY) == command else f"python flows/{script}"


def misuse(error: CycloptsError, name: str) -> str:
    """Return what is wrong with the options, and where to read more."""
    command = " ".join([name, *(error.command_chain or ())])
    message = str(error)
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} See {command} --help."


def complain_as_json(message: str) -> None:
    """Print an error as one JSON document, as the commands with ``--json`` print their results."""
    print(json_text({"error": message}), file=sys.stderr)


def complain(message: str) -> None:
    """Print a message to stderr as one red paragraph."""
    from rich.console import Console

    paragraph = " ".join(message.split())
    Console(file=sys.stderr).print(paragraph, style="red", markup=False, highlight=False, soft_wrap=True)
