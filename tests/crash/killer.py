"""Sends a signal, SIGKILL as a rule, at the n-th event of a kind in a stage. Nothing in the product knows of it.

Kinds of event:

* ``before-commit`` and ``after-commit``: a database transaction, on either side of its COMMIT;
* ``rename``: a file or directory takes its final name (checkpoints, restart points, cached results, reports);
* ``forward``: a forward pass of the model, in the middle of generation, training or evaluation;
* ``never``: no signal is sent.

Stages are named as their functions are; ``between`` is everything else, such as Prefect's writing of a result.

It also counts the work that is done, so that a test can tell how much was done twice.
"""

import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

STAGES = ("sample", "generate", "verify", "finetune", "evaluate", "advance")


@dataclass(frozen=True)
class Hit:
    """When a process is hit: at the ``number``-th event of ``kind`` in ``stage``; who, and by which signal.

    Attributes:
        victim: A file that begins with the process's number; the process itself when empty.
    """

    kind: str = "never"
    stage: str = "any"
    number: int = 0
    victim: str = ""
    signal: int = signal.SIGKILL


@dataclass
class Killer:
    """Counts events, and sends the signal when the event of a :class:`Hit` has come."""

    kind: str
    stage: str
    number: int
    log: Path
    victim: str = ""
    signal: int = signal.SIGKILL
    seen: int = 0

    def arm(self) -> None:
        """Install the hooks."""
        self._hook_commits()
        self._hook_model()
        sys.addaudithook(lambda event, _: self._reach("rename") if event == "os.rename" else None)

    def _reach(self, kind: str) -> None:
        if kind != self.kind or self.stage not in ("any", _stage()):
            return
        self.seen += 1
        if self.seen == self.number:
            self._write(f"hit {kind} {_stage()}")
            self._send()

    def _send(self) -> None:
        """Send the signal; to this thread where the process itself is hit: it would go on until another had taken it."""
        if not self.victim:
            signal.pthread_kill(threading.get_ident(), self.signal)
            return
        number = Path(self.victim).read_text().split()[0]  # only now: a server may have been started again
        os.kill(int(number), self.signal)

    def _write(self, line: str) -> None:
        with self.log.open("a") as log:
            log.write(line + "\n")

    def _hook_commits(self) -> None:
        from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

        commit = PGDialect_psycopg2.do_commit

        def do_commit(dialect: PGDialect_psycopg2, connection: object) -> None:
            self._reach("before-commit")
            commit(dialect, connection)
            self._reach("after-commit")

        PGDialect_psycopg2.do_commit = do_commit  # type: ignore[method-assign]

    def _hook_model(self) -> None:
        import torch
        from transformers import LlamaForCausalLM

        from adastar_core.generators.transformers import TransformersGenerator

        forward, generate = LlamaForCausalLM.forward, TransformersGenerator.generate

        def counted_forward(model: LlamaForCausalLM, *args: object, **kwargs: object) -> object:
            if model.training:
                self._write("trained 1")
            if model.training or torch.is_inference_mode_enabled():  # a model's self-check is neither
                self._reach("forward")
            return forward(model, *args, **kwargs)

        def counted_generate(
            generator: TransformersGenerator, requests: list[object], decoding: object
        ) -> object:
            self._write(f"generated {len(requests)}")
            return generate(generator, requests, decoding)  # type: ignore[arg-type]

        LlamaForCausalLM.forward = counted_forward  # type: ignore[method-assign]
        TransformersGenerator.generate = counted_generate  # type: ignore[method-assign,assignment]


def _stage() -> str:
    """Return the stage on the stack, e.g. ``generate``; in the thread that stores for it, the stage's module is."""
    frame, module = sys._getframe(), "between"
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.parent.name == "stages":
            if frame.f_code.co_name in STAGES:
                return frame.f_code.co_name
            module = path.stem
        frame = frame.f_back
    return module
