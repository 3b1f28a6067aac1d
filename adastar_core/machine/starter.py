"""Who started a process that works on a run."""

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Starter:
    """Who started a process, as far as anybody knows.

    Attributes:
        by: ``user NAME`` of the machine or of the service that started it, ``schedule NAME`` or ``automation NAME``;
            ``None`` for a request whose sender the service does not know.
        deployment: What was started, where a service did it.
        flow_run: The service's own number of it.
    """

    by: str | None
    deployment: str | None = None
    flow_run: str | None = None

    def __str__(self) -> str:
        """Return it as the end of ``started by``: ``schedule nightly, deployment nightly``."""
        return ", ".join(self._parts()) or "somebody unknown"

    def _parts(self) -> list[str]:
        given = [("", self.by), ("deployment ", self.deployment), ("flow run ", self.flow_run)]
        return [f"{kind}{value}" for kind, value in given if value]


def system_user() -> Starter:
    """Return the user of this machine whose process this is; the number where the machine has no name for it."""
    number = os.geteuid()
    try:
        return Starter(f"user {pwd.getpwuid(number).pw_name}")
    except KeyError:
        return Starter(f"user {number}")
