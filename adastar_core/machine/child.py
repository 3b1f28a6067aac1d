"""Child processes that run one of this package's modules and talk in lines: JSON orders in, JSON answers out.

The module ties itself to its parent (:mod:`adastar_core.machine.parent`) or ends when its standard input does.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

_LAST_WORDS = 1500
_END_SECONDS = 20.0
_GONE_SECONDS = 10.0


class ChildFailure(Exception):
    """A child process did not answer; the caller decides what that means.

    ``status`` is its exit status, negative for a signal, ``None`` while it runs; ``memory`` tells whether it
    ran out of memory, as far as one can tell.
    """

    def __init__(self, message: str, *, status: int | None = None, memory: bool = False) -> None:
        super().__init__(message)
        self.status, self.memory = status, memory


class Child:
    """A running child process. Not thread-safe.

    Args:
        module: What it runs, e.g. ``adastar_core.generators.vllm_engine``.
        log: File that its standard error is appended to.
        environment: Variables in addition to this process's.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        log: Path = Path(os.devnull),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        self._log = log
        with log.open("ab") as errors:
            self._began = errors.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **(environment or {}), "PYTHONPATH": path},
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._buffer = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, order: Mapping[str, object], seconds: float) -> dict[str, Any]:
        self.tell(order)
        return self.answer(seconds)

    def tell(self, order: Mapping[str, object]) -> None:
        """Send an order; raises :class:`ChildFailure` if the process is gone."""
        try:
            self._input.write(json.dumps(order).encode() + b"\n")
            self._input.flush()
        except OSError as error:
            raise self._gone() from error

    def answer(self, seconds: float) -> dict[str, Any]:
        """Return the answer to the last order.

        Raises:
            ChildFailure: It did not come in time, the process ended, or the answer is an error.
        """
        values: dict[str, Any] = json.loads(self.line(seconds))
        if "error" in values:
            raise ChildFailure(f"{values['error']} (its log: {self._log})", memory=values["memory"])
        return values

    def line(self, seconds: float | None = None) -> str:
        """Return the next line of its output; raises :class:`ChildFailure` if none comes (in time)."""
        end = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._output], [], [], left)[0]:
                raise ChildFailure(f"no answer within {seconds:g} seconds (its log: {self._log})")
            part = os.read(self._output.fileno(), 1 << 20)
            if not part:
                raise self._gone()
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def lines(self) -> Iterator[str]:
        with suppress(ChildFailure):
            while True:
                yield self.line()

    def wait(self) -> int:
        return self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._input, self._output):
            with suppress(OSError):
                stream.close()

    def end(self) -> None:
        """End the process and those that it started: by closing its input, then by force. Returns when they are gone."""
        descendants: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            descendants = psutil.Process(self.pid).children(recursive=True)
        with suppress(OSError):
            self._input.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self.kill()
        _, alive = psutil.wait_procs(descendants, timeout=5)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=10)

    def _gone(self) -> ChildFailure:
        """Return what became of the process. A kernel short of memory kills; nothing else sends SIGKILL unasked."""
        status = None
        with suppress(subprocess.TimeoutExpired):  # its output may end a moment before it does
            status = self._process.wait(_GONE_SECONDS)
        words = self._log.read_bytes()[self._began :][-_LAST_WORDS:].decode(errors="replace").strip()
        message = f"its process ended with status {status} (its log: {self._log}), saying last: {words}"
        return ChildFailure(message, status=status, memory=status == -9)
