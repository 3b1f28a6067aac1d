"""Kills its own process with SIGKILL at the n-th event of a kind. Nothing in the product knows of it.

Kinds of event:

* ``before-commit`` and ``after-commit``: a database transaction, on either side of its COMMIT;
* ``rename``: a file or directory takes its final name (checkpoints, cached results, reports);
* ``forward``: a forward pass of the model (in the middle of generation, training or evaluation).
"""

import os
import signal
import sys
from collections import Counter
from pathlib import Path

KINDS = ("before-commit", "after-commit", "rename", "forward")

_counts: Counter[str] = Counter()
_target: tuple[str, int] | None = None
_log: Path | None = None


def arm(kind: str, number: int, log: Path) -> None:
    """Install the hooks; at the ``number``-th event of ``kind`` write where it was to ``log`` and die."""
    global _target, _log
    _target, _log = (kind, number), log
    _hook_commits()
    _hook_forwards()
    sys.addaudithook(lambda event, _: _reach("rename") if event == "os.rename" else None)


def _reach(kind: str) -> None:
    _counts[kind] += 1
    if _target == (kind, _counts[kind]):
        assert _log is not None
        with _log.open("a") as log:
            log.write(f"{kind} {_counts[kind]} {_stage()}\n")
        os.kill(os.getpid(), signal.SIGKILL)


def _stage() -> str:
    """Return the name of the innermost stage on the stack, e.g. ``generate``."""
    frame = sys._getframe()
    while frame is not None:
        if "adastar_core/stages/" in frame.f_code.co_filename and frame.f_code.co_name in STAGES:
            return frame.f_code.co_name
        frame = frame.f_back
    return "between stages"


STAGES = ("sample", "generate", "verify", "finetune", "evaluate", "advance", "open_workspace")


def _hook_commits() -> None:
    from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

    commit = PGDialect_psycopg2.do_commit

    def do_commit(self: PGDialect_psycopg2, connection: object) -> None:
        _reach("before-commit")
        commit(self, connection)
        _reach("after-commit")

    PGDialect_psycopg2.do_commit = do_commit  # type: ignore[method-assign]


def _hook_forwards() -> None:
    from transformers import LlamaForCausalLM

    forward = LlamaForCausalLM.forward

    def counted(self: LlamaForCausalLM, *args: object, **kwargs: object) -> object:
        _reach("forward")
        return forward(self, *args, **kwargs)

    LlamaForCausalLM.forward = counted  # type: ignore[method-assign]
