"""Defaults of other libraries' environment variables. Import this before Prefect: it reads them when imported.

What the user has set is left alone.
"""

import os
import sys
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

_ALWAYS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    # Prefect's temporary server writes each task's events in a transaction of its own, into SQLite. A request that meets one
    # is refused, and sent again two seconds later.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_ON_THE_COMMAND_LINE = {
    # Errors are explained once, by the command line, and progress is its own.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def is_command() -> bool:
    """Return whether this process is one of the commands in ``flows``."""
    return Path(sys.argv[0]).name in ("adastar.py", "compare.py")


for _name, _value in _ALWAYS.items() | (_ON_THE_COMMAND_LINE.items() if is_command() else set()):
    os.environ.setdefault(_name, _value)


def require_readable_settings() -> None:
    """End the command with one line where Prefect, which reads its settings when imported, cannot read them."""
    from pydantic import ValidationError

    try:
        with redirect_stderr(StringIO()):  # it would print the same, over several lines, and raise it too
            from prefect import flow  # noqa: F401
    except ValidationError as error:
        found = "; ".join(
            ": ".join([error.title, *map(str, one["loc"]), one["msg"]]) for one in error.errors()
        )
        sys.stderr.write(
            f"error: Prefect's settings cannot be read ({found}). Correct the environment variables that begin with PREFECT_, "
            "PREFECT_API_URL among them, or Prefect's profile.\n"
        )
        sys.exit(2)


if is_command():
    require_readable_settings()
