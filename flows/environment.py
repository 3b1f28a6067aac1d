"""Defaults of other libraries' environment variables, where the user has set none. Import this before Prefect."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import cast

_ALWAYS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    # Prefect's temporary server writes each task's events to SQLite in a separate transaction. A request that meets one is
    # refused, and retried two seconds later.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # By default torch's threads spin while they wait for each other. Beside other work on the same cores, two threads
    # then took 2.3 processor seconds for what takes 0.2 (docs/performance.md).
    "OMP_WAIT_POLICY": "PASSIVE",
}
_ON_THE_COMMAND_LINE = {
    # The command line explains errors once, and shows its own progress.
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def is_command() -> bool:
    """Return whether this process runs one of the scripts in ``flows``."""
    return Path(sys.argv[0]).name in ("adastar.py", "compare.py")


for _name, _value in _ALWAYS.items() | (_ON_THE_COMMAND_LINE.items() if is_command() else set()):
    os.environ.setdefault(_name, _value)


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Let Prefect start without pandas, which takes a second to load; no task here is given a data frame."""
    loaded = sys.modules.get("pandas")
    sys.modules["pandas"] = cast(ModuleType, loaded)  # ``None`` is a module that is not there
    try:
        yield
    finally:
        if loaded is None:
            del sys.modules["pandas"]


def require_readable_settings() -> None:
    """Exit with one line if Prefect cannot read its settings, which it does when it is imported."""
    from pydantic import ValidationError

    try:
        # Prefect prints the same over several lines, and raises it too.
        with redirect_stderr(StringIO()), _without_pandas():
            from prefect import flow  # noqa: F401
    except ValidationError as error:
        items = ([error.title, *map(str, item["loc"]), item["msg"]] for item in error.errors())
        found = "; ".join(map(": ".join, items))
        sys.stderr.write(
            f"error: Prefect's settings cannot be read ({found}). Correct the environment variables that begin with PREFECT_, "
            "PREFECT_API_URL among them, or Prefect's profile.\n"
        )
        sys.exit(2)


if is_command():
    require_readable_settings()
