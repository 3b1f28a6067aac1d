"""Runs the command line in forked children, so that a kill costs no new imports. Talks JSON lines.

Each line on standard input is ``{"kind", "stage", "number", "log", "output", "arguments", "victim"}``; the answer is the child's
exit status, negative for a signal.
"""

import json
import os
import sys
from pathlib import Path

import transformers.models.llama.modeling_llama
from prefect import client, flow_engine, task_engine

import adastar_core.generators.transformers
import adastar_core.trainers.sft
from flows.adastar import adastar
from flows.commandline import main
from tests.crash.killer import Killer

LOADED = (client, flow_engine, task_engine, transformers, adastar_core)


def run_child(order: dict[str, str | int | list[str]]) -> None:
    """Run the command line in this process, which is to be killed at the ordered event."""
    output = os.open(str(order["output"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    victim_file = str(order["victim"])
    victim = (lambda: int(Path(victim_file).read_text().split()[0])) if victim_file else os.getpid
    Killer(
        str(order["kind"]), str(order["stage"]), int(str(order["number"])), Path(str(order["log"])), victim
    ).arm()
    arguments = order["arguments"]
    assert isinstance(arguments, list)
    main(adastar, arguments)


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run_child(json.loads(line))
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)
