"""A generation engine's process, as its parent sees it: orders and answers as JSON lines, each with a deadline."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_LAST_WORDS = 1500
_END_SECONDS = 20.0


class ChildFailure(Exception):
    """An engine's process did not do what it was told; whoever started it decides what that means.

    Attributes:
        memory: Whether it ran out of memory, as far as one can tell.
    """

    def __init__(self, message: str, *, memory: bool = False) -> None:
        super().__init__(message)
        self.memory = memory


class Child:
    """A process that runs one of this package's modules. It ends with its parent, however that ends.

    Args:
        module: What it runs, e.g. ``adastar_core.generators.vllm_engine``.
        log: Where everything that it prints goes; what stood there before stays.
        environment: Variables beside this process's own.
    """

    def __init__(self, module: str, log: Path, environment: Mapping[str, str]) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        self.log = log
        with log.open("ab") as errors:
            self._began = errors.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **environment, "PYTHONPATH": path},
                start_new_session=True,
            )
        self._buffer = b""

    @property
    def pid(self) -> int:
        """Return the process's id."""
        return self._process.pid

    def tell(self, order: Mapping[str, object]) -> None:
        """Send an order, whose answer :meth:`answer` returns.

        Raises:
            ChildFailure: The process is gone.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._gone() from error

    def answer(self, seconds: float) -> dict[str, Any]:
        """Return the answer to the last order.

        Raises:
            ChildFailure: It did not come in time, the process ended, or the answer is an error.
        """
        values: dict[str, Any] = json.loads(self._line(seconds))
        if "error" in values:
            raise ChildFailure(f"{values['error']} (its log: {self.log})", memory=values["memory"])
        return values

    def ask(self, order: Mapping[str, object], seconds: float) -> dict[str, Any]:
        """Send an order and return its answer; raises as :meth:`tell` and :meth:`answer` do."""
        self.tell(order)
        return self.answer(seconds)

    def end(self) -> None:
        """End the process, and those that it started: by closing its input, then by force. Returns when it is gone."""
        descendants = self._descendants()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        _kill(descendants)

    def _descendants(self) -> list[Any]:
        import psutil

        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).children(recursive=True)
        return []

    def _line(self, seconds: float) -> str:
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            ready, _, _ = select.select([descriptor], [], [], max(0.0, left))
            if not ready:
                raise ChildFailure(f"no answer within {seconds:g} seconds (its log: {self.log})")
            part = os.read(descriptor, 1 << 20)
            if not part:
                raise self._gone()
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def _gone(self) -> ChildFailure:
        """Return what became of the process. A kernel short of memory kills; nobody else kills with SIGKILL unasked."""
        status = self._process.wait()
        words = self.log.read_bytes()[self._began :][-_LAST_WORDS:].decode(errors="replace").strip()
        return ChildFailure(
            f"its process ended with status {status} (its log: {self.log}), saying last: {words}",
            memory=status == -9,
        )


def _kill(processes: list[Any]) -> None:
    """End processes that have outlived their parent."""
    import psutil

    _, alive = psutil.wait_procs(processes, timeout=5)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=10)
