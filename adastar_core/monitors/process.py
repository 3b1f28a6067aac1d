"""A service in a process of its own, which can neither stop nor slow the run, nor print into its output."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from signal import SIGKILL
from threading import Thread
from typing import Any, NamedTuple

from adastar_core.machine.child import Child, ChildFailure
from adastar_core.monitors import About, Ending, Row
from adastar_core.monitors.services import QUIET

WORKER = "adastar_core.monitors.worker"
_SECONDS = 300.0
_END_SECONDS: Mapping[Ending, float] = {"finished": 60.0, "failed": 5.0, "killed": 2.0}
_GONE_SECONDS = 30.0


class _Order(NamedTuple):
    do: str
    given: Sequence[Any]


class MonitorFailure(Exception):
    """A service could not keep something; the message is that of its client."""


class ServiceProcess:
    """Hands over what a service should keep and returns at once; raises :class:`MonitorFailure` for earlier failures."""

    def __init__(self, name: str, about: About, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._failures: SimpleQueue[str] = SimpleQueue()
        self._child = Child(WORKER, [name], log=log, environment=QUIET)
        self._orders.put(_Order("open", [asdict(about)]))
        self._thread = Thread(target=self._work, name=f"monitor {name}", daemon=True)
        self._thread.start()

    def log(self, axis: str, step: int, numbers: Mapping[str, float]) -> None:
        self._give("log", [(axis, step, dict(numbers), time.time())])

    def table(self, name: str, step: int, rows: Sequence[Row]) -> None:
        self._give("table", name, step, list(rows))

    def file(self, path: Path) -> None:
        self._give("file", str(path))

    def close(self, ending: Ending) -> None:
        """Wait until all is kept, but not for long: a run that ends ends."""
        self._orders.put(_Order("close", [ending]))
        self._thread.join(_END_SECONDS[ending])
        if self._thread.is_alive():
            os.kill(self._child.pid, SIGKILL)
            self._thread.join(_GONE_SECONDS)
        self._raise_failures()

    def _give(self, do: str, *given: object) -> None:
        if self._thread.is_alive():
            self._orders.put(_Order(do, given))
        self._raise_failures()

    def _raise_failures(self) -> None:
        failures = [self._failures.get() for _ in range(self._failures.qsize())]
        if failures:
            raise MonitorFailure("; ".join(failures))

    def _work(self) -> None:
        known = set[str]()
        try:
            for order in self._collected():
                failed = self._child.ask(order._asdict(), _SECONDS)["failed"]
                if failed and failed not in known:
                    known.add(failed)
                    self._failures.put(failed)
        except ChildFailure as failure:
            self._failures.put(f"{failure}. Nothing more is sent to it")
        finally:
            self._child.end()

    def _collected(self) -> Iterator[_Order]:
        """Yield the orders in turn up to the one to close. Numbers that wait are handed over together."""
        do = ""
        while do != "close":
            waiting = [self._orders.get()]
            waiting += (self._orders.get() for _ in range(self._orders.qsize()))
            for do, orders in groupby(waiting, key=lambda order: order.do):
                if do == "log":
                    yield _Order("log", [[point for order in orders for point in order.given[0]]])
                else:
                    yield from orders
