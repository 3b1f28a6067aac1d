"""The process of one service: orders as JSON lines on standard input, answers on standard output, the rest in a log.

Only :mod:`adastar_core.monitors.process` starts it. It ends when its standard input does, so what a killed run had
handed over is still written.
"""

import fcntl
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO, cast

from adastar_core.machine.files import atomic_write
from adastar_core.monitors import About, Ending, Point, Row
from adastar_core.monitors.services import SERVICES

_LAST_SECONDS = 60
_SECONDS_BETWEEN_TRIES = 30.0
_LARGEST_LOG = 1 << 20
_NICENESS = 5
_LOGGED = "logged.json"


class Client(Protocol):
    """A service of this package, on its official client. It may also have ``file(path)``."""

    def log(self, points: Sequence[Point]) -> None: ...
    def table(self, name: str, step: int, rows: Sequence[Row]) -> None: ...
    def close(self, ending: Ending) -> None: ...


class Logged:
    """The last step that a service has of each name, in a file: no step is sent twice, whoever repeats it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _LOGGED
        self._last: dict[str, int] = json.loads(self._path.read_text()) if self._path.is_file() else {}

    def has(self, name: str, step: int) -> bool:
        return step <= self._last.get(name, -1)

    def new(self, points: Sequence[Point]) -> list[Point]:
        """Return points without the numbers that the service has."""
        found = []
        for point in points:
            numbers = {name: value for name, value in point.numbers.items() if not self.has(name, point.step)}
            if numbers:
                found.append(Point(point.axis, point.step, numbers, point.at))
        return found

    def add(self, steps: Mapping[str, int]) -> None:
        self._last |= steps
        with atomic_write(self._path) as part:
            part.write_text(json.dumps(self._last))


class Follower:
    """Carries orders out. Numbers that a service could not take are kept, and sent with the next order."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._about: About | None = None
        self._client: Client | None = None
        self._tried = float("-inf")
        self._waiting: list[Point] = []

    def open(self, about: Mapping[str, Any]) -> None:
        self._about = About(**about)
        folder = Path(self._about.folder)
        folder.mkdir(parents=True, exist_ok=True)
        # Held for the life of this process: one of a killed run may still be writing.
        self._lock = (folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._logged = Logged(folder)
        self._opened()

    def log(self, points: Sequence[Sequence[Any]]) -> None:
        self._waiting += [Point(*point) for point in points]
        client = self._opened()
        if client is not None:
            if new := self._logged.new(self._waiting):
                client.log(new)
                self._logged.add({name: point.step for point in new for name in point.numbers})
            self._waiting.clear()

    def table(self, name: str, step: int, rows: Sequence[Row]) -> None:
        client = self._opened()
        if client is not None and not self._logged.has(name, step):
            client.table(name, step, rows)
            self._logged.add({name: step})

    def file(self, path: str) -> None:
        client = self._opened()
        if client is not None and hasattr(client, "file"):
            client.file(Path(path))

    def close(self, ending: Ending) -> None:
        """Send what waits, and end; called again, do nothing."""
        if self._about is None:
            return
        try:
            self._tried = float("-inf")
            self.log([])
            if self._client is not None:
                self._client.close(ending)
        finally:
            self._about = self._client = None

    def _opened(self) -> Client | None:
        """Return the client, tried again from time to time where the service was away."""
        if self._client is None and time.monotonic() - self._tried > _SECONDS_BETWEEN_TRIES:
            service = SERVICES[self._name]
            try:
                part = getattr(importlib.import_module(service.module), service.name)
                self._client = cast(Client, part(self._about))
            finally:
                self._tried = time.monotonic()
        return self._client


def main() -> None:
    (name,) = sys.argv[1:]
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a client prints is no answer
        os.nice(_NICENESS)  # the run comes first
        serve(Follower(name), sys.stdin, answers)


def serve(follower: Follower, orders: TextIO, answers: TextIO) -> None:
    """Carry out every order; then, where none of them has ended the run, note that it was killed."""
    for line in orders:
        order = json.loads(line)
        print(json.dumps({"failed": _failure(follower, **order)}), file=answers, flush=True)
        _cut_log()
    timer = threading.Timer(_LAST_SECONDS, os._exit, [1])  # whatever the client waits for
    timer.daemon = True
    timer.start()
    _failure(follower, "close", ["killed"])


def _failure(follower: Follower, do: str, given: Sequence[Any]) -> str | None:
    """Carry an order out; return what failed, if anything."""
    try:
        getattr(follower, do)(*given)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a client may raise anything)
        return f"{type(error).__name__}: {error}"
    return None


def _cut_log() -> None:
    """Keep the log, which is appended to, from filling the disk."""
    error = sys.stderr.fileno()
    if os.fstat(error).st_size > _LARGEST_LOG:
        os.ftruncate(error, 0)


if __name__ == "__main__":
    main()
