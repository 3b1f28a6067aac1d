"""Worker processes for formulas: a hard deadline per answer, and a kill when it passes."""

import json
import os
import queue
import select
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path

from adastar_core.errors import AdaStarError
from adastar_core.records import Outcome

_START_SECONDS = 120.0
_ANSWERS_PER_WORKER = 20_000


class _Worker:
    """One process. Not thread-safe: the pool lends it to one caller at a time."""

    def __init__(self) -> None:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "adastar_core.verifiers.math_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._buffer = b""
        self.answered = 0
        if self._line(_START_SECONDS) != "ready":
            self.kill()
            raise AdaStarError(
                "The process that compares formulas did not start. Run `python -m adastar_core.verifiers.math_worker`."
            )

    def ask(self, question: str, deadline_seconds: float) -> str | None:
        """Return the answer line, or ``None`` when the deadline passed or the process died."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(question.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return None
        self.answered += 1
        return self._line(deadline_seconds)

    def _line(self, seconds: float) -> str | None:
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
            part = os.read(descriptor, 65536) if ready else b""
            if not part:
                return None
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def ended(self) -> bool:
        """Return whether the process, whose output is at its end, is over; its status may be a moment late."""
        try:
            self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()


class MathPool:
    """Up to ``workers`` processes, started when first needed; safe to use from several threads."""

    def __init__(self, workers: int, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._free.put(None)
        self._alive: set[_Worker] = set()
        weakref.finalize(self, _kill_all, self._alive)

    def judge(self, reference: str, answer: str) -> tuple[Outcome, str]:
        """Compare two formulas; undecided when the deadline passes, which costs one worker.

        A comparison whose process died is made once more: somebody else may have killed it, and verdicts must
        not depend on that.
        """
        question = json.dumps(
            {"reference": reference, "answer": answer, "deadline_seconds": self.deadline_seconds}
        )
        line, died = self._ask(question)
        if died:
            line, died = self._ask(question)
        if line is None:
            why = (
                "the comparison ended its process"
                if died
                else f"no verdict within {self.deadline_seconds:g} seconds"
            )
            return Outcome.UNDECIDED, why
        verdict = json.loads(line)
        return Outcome(verdict["outcome"]), str(verdict["reason"])

    def _ask(self, question: str) -> tuple[str | None, bool]:
        """Return a worker's answer, ``None`` without one, and whether its process died over the question."""
        worker = self._borrow()
        line: str | None = None
        died = False
        try:
            line = worker.ask(question, self.deadline_seconds)
        finally:
            died = line is None and worker.ended()
            self._give_back(worker, done=line is None or worker.answered >= _ANSWERS_PER_WORKER)
        return line, died

    def _borrow(self) -> _Worker:
        worker = self._free.get()
        return worker if worker is not None and worker.alive else self._start()

    def _give_back(self, worker: _Worker, *, done: bool) -> None:
        if done:
            worker.kill()
            self._alive.discard(worker)
        self._free.put(None if done else worker)

    def _start(self) -> _Worker:
        try:
            worker = _Worker()
        except AdaStarError:
            self._free.put(None)
            raise
        self._alive.add(worker)
        return worker

    def close(self) -> None:
        """End every process; the pool starts new ones if it is used again."""
        _kill_all(self._alive)


def _kill_all(workers: set[_Worker]) -> None:
    while workers:
        workers.pop().kill()
