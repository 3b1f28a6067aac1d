"""Worker processes for formulas: each ends itself when an answer is too much work, and another one takes its place."""

import queue
import signal
import weakref
from collections.abc import Mapping
from enum import Enum, auto

from adastar_core.errors import AdaStarError
from adastar_core.machine.child import Child, ChildFailure
from adastar_core.records import CUT_SHORT, Outcome

SECONDS = 5.0
STEPS = 60_000_000
"""Several times what a fast machine does in ``SECONDS``, so that a slow one loses no verdict of a fast one."""

_MODULE = "adastar_core.verifiers.math_worker"
_START_SECONDS = 600.0
_PATIENCE_SECONDS = 3600.0
"""Wall time, so many times any worker's processor time that only a process that somebody has stopped uses it up."""

_ANSWERS_PER_WORKER = 20_000


class Silence(Enum):
    """Why there is no answer: the process has used up its processor time, or something else has ended or stopped it."""

    OUT_OF_TIME = auto()
    LOST = auto()


Question = Mapping[str, str | float]
Reply = Mapping[str, str] | Silence


class _Worker(Child):
    """One process. Not thread-safe: the pool lends it to one caller at a time."""

    def __init__(self) -> None:
        # Sets are walked in the order of their members' hashes, which decides how sympy goes about its work.
        super().__init__(_MODULE, environment={"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"})
        self.answered = 0
        try:
            self.line(_START_SECONDS)
        except ChildFailure as failure:
            self.kill()
            raise AdaStarError(
                f"The process that compares formulas did not start. Run `python -m {_MODULE}`."
            ) from failure

    def judge(self, question: Question) -> Reply:
        try:
            self.tell(question)
        except ChildFailure:
            return Silence.LOST  # whatever ended it, it was not this question
        self.answered += 1
        try:
            return self.answer(_PATIENCE_SECONDS)
        except ChildFailure as failure:
            return Silence.OUT_OF_TIME if failure.status == -signal.SIGVTALRM else Silence.LOST


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
        return Outcome(reply["outcome"]), reply["reason"]

    def _ask_twice(self, question: Question) -> Reply:
        """Ask once more where the process was lost: somebody else may have ended it, and verdicts must not depend on that."""
        reply = self._ask(question)
        return self._ask(question) if reply is Silence.LOST else reply

    def _ask(self, question: Question) -> Reply:
        # Steps depend on what a process remembers of earlier formulas, so they are counted in a new one.
        new = "steps" in question
        worker = self._borrow(new=new)
        reply: Reply = Silence.LOST
        try:
            reply = worker.judge(question)
        finally:
            spent = isinstance(reply, Silence) or new or worker.answered >= _ANSWERS_PER_WORKER
            if spent:
                self._end(worker)
            self._free.put(None if spent else worker)
        return reply

    def _borrow(self, *, new: bool) -> _Worker:
        worker = self._free.get()
        if worker is not None and (new or not worker.alive):
            self._end(worker)
            worker = None
        return worker or self._start()

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
