"""Runs the command line in forked children, so that a kill costs no new imports. Talks JSON lines.

``{"kind", "stage", "number", "log", "output", "arguments", "victim", "signal", "environment"}`` starts a
child; the answer is its process id.
``{"wait": process id}`` waits for it; the answer is its exit status, negative for a signal.
"""

import json
import os
import sys
from dataclasses import fields
from pathlib import Path

import fastapi
import transformers.models.llama.modeling_llama
from prefect import client, flow_engine, task_engine

import adastar_core.generators.transformers
import adastar_core.trainers.sft
from adastar_core.report.curves import curves
from flows.adastar import adastar
from flows.commandline import main
from tests.crash.killer import Hit, Killer

Order = dict[str, str | int | list[str] | dict[str, str]]
LOADED = (client, flow_engine, task_engine, transformers, adastar_core, fastapi, curves)


def run_child(order: Order) -> None:
    """Run the command line in this process, which is to be killed at the ordered event."""
    output = os.open(str(order["output"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    environment = order["environment"]
    assert isinstance(environment, dict)
    os.environ.update(environment)
    hit = {one.name: order[one.name] for one in fields(Hit)}
    Killer(log=Path(str(order["log"])), **hit).arm()  # type: ignore[arg-type]
    arguments = order["arguments"]
    assert isinstance(arguments, list)
    main(adastar, arguments)


def start_child(order: Order) -> int:
    """Return the id of a child that runs the command line."""
    child = os.fork()
    if child == 0:
        run_child(order)
        sys.stdout.flush()
        os._exit(0)
    return child


if __name__ == "__main__":
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        else:
            answer = start_child(order)
        print(answer, flush=True)
