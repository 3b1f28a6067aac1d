"""Worker processes for formulas: each ends itself when an answer is too much work, and another one takes its place."""

import json
import os
import queue
import select
import signal
import subprocess
import sys
import time
import weakref
from contextlib import suppress
from enum import Enum, auto
from pathlib import Path

from adastar_core.errors import AdaStarError
from adastar_core.records import CUT_SHORT, Outcome

SECONDS = 5.0
STEPS = 60_000_000
"""Several times what a fast machine does in ``SECONDS``, so that a slow one loses no verdict of a fast one."""

_START_SECONDS = 600.0
_PATIENCE_SECONDS = 3600.0
"""Wall time, so many times any worker's processor time that only a process that somebody has stopped uses it up."""

_ANSWERS_PER_WORKER = 20_000


class Silence(Enum):
    """Why there is no answer: the process has used up its processor time, or something else has ended or stopped it."""

    OUT_OF_TIME = auto()
    LOST = auto()


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
            # Sets are walked in the order of their members' hashes, which decides how sympy goes about its work.
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        self._buffer = b""
        self.answered = 0
        if self._line(_START_SECONDS) != "ready":
            self.kill()
            raise AdaStarError(
                "The process that compares formulas did not start. Run `python -m adastar_core.verifiers.math_worker`."
            )

    def ask(self, question: str) -> str | Silence:
        """Return the answer line, or why there is none."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(question.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return Silence.LOST
        self.answered += 1
        line = self._line(_PATIENCE_SECONDS)
        return self._why_silent() if line is None else line

    def _why_silent(self) -> Silence:
        try:
            status = self._process.wait(10.0)  # after its output has ended, it may last a moment until it has
        except subprocess.TimeoutExpired:
            return Silence.LOST
        return Silence.OUT_OF_TIME if status == -signal.SIGVTALRM else Silence.LOST

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
    """Up to ``workers`` processes, started when first needed; safe to use from several threads.

    Args:
        workers: Processes at once.
        seconds: Processor time of a comparison's first try.
        steps: Calls and returns of its second one, after the first was out of time.
        longest_step_seconds: Processor time of the longest of them.
    """

    def __init__(self, workers: int, seconds: float, steps: int, longest_step_seconds: float = 10.0) -> None:
        self._seconds, self._steps, self._longest = seconds, steps, longest_step_seconds
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._free.put(None)
        self._alive: set[_Worker] = set()
        weakref.finalize(self, _kill_all, self._alive)

    def judge(self, reference: str, answer: str) -> tuple[Outcome, str]:
        """Compare two formulas; undecided when that is too much work, which costs a worker.

        What the machine cut short, and not the work, says so in its reason (:data:`~adastar_core.records.CUT_SHORT`).
        """
        formulas = {"reference": reference, "answer": answer}
        reply = self._ask_twice({**formulas, "seconds": self._seconds})
        if reply is Silence.OUT_OF_TIME:
            reply = self._ask_twice({**formulas, "steps": self._steps, "seconds": self._longest})
        if isinstance(reply, Silence):
            why = {
                Silence.OUT_OF_TIME: "one step of the comparison took too long",
                Silence.LOST: "the comparison's process ended twice",
            }[reply]
            return Outcome.UNDECIDED, f"{CUT_SHORT}{why}"
        verdict = json.loads(reply)
        return Outcome(verdict["outcome"]), str(verdict["reason"])

    def _ask_twice(self, question: dict[str, str | float]) -> str | Silence:
        """Ask once more where the process was lost: somebody else may have ended it, and verdicts must not depend on that."""
        reply = self._ask(question)
        return self._ask(question) if reply is Silence.LOST else reply

    def _ask(self, question: dict[str, str | float]) -> str | Silence:
        # Steps depend on what a process remembers of earlier formulas, so they are counted in a new one.
        new = "steps" in question
        worker = self._borrow(new=new)
        reply: str | Silence = Silence.LOST
        try:
            reply = worker.ask(json.dumps(question))
        finally:
            spent = isinstance(reply, Silence) or new or worker.answered >= _ANSWERS_PER_WORKER
            self._give_back(worker, done=spent)
        return reply

    def _borrow(self, *, new: bool) -> _Worker:
        worker = self._free.get()
        if worker is not None and (new or not worker.alive):
            self._end(worker)
            worker = None
        return worker or self._start()

    def _give_back(self, worker: _Worker, *, done: bool) -> None:
        if done:
            self._end(worker)
        self._free.put(None if done else worker)

    def _end(self, worker: _Worker) -> None:
        worker.kill()
        self._alive.discard(worker)

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
