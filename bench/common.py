"""Shared by the benchmarks: the command line, taking turns, tables and requests."""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import psutil
from cyclopts import App
from rich.console import Console
from rich.table import Table

from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.gsm8k import GSM8KSettings
from adastar_core.records import GenerationRequest, Observation, Split
from adastar_core.streams import rationale_key

Result = TypeVar("Result")


def run(main: Callable[..., None], about: str | None) -> None:
    """Run a benchmark from the command line: its parameters are the options, its docstring describes them."""
    app = App(help=about, help_format="plaintext", version_flags=[])
    app.default(main)
    app()


@dataclass(frozen=True)
class Turns(Generic[Result]):
    """What a contender returned last, and its median and least seconds over all rounds, children included."""

    result: Result
    wall: float
    processor: float
    least_processor: float


def in_turns(contenders: Mapping[str, Callable[[], Result]], rounds: int) -> dict[str, Turns[Result]]:
    """Time contenders in turns, so that other work on the machine disturbs all of them alike."""
    results: dict[str, Result] = {}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            wall, processor = time.perf_counter(), processor_seconds()
            results[name] = contender()
            seconds[name].append((time.perf_counter() - wall, processor_seconds() - processor))
    found = {}
    for name, each in seconds.items():
        walls, processors = zip(*each, strict=True)
        medians = statistics.median(walls), statistics.median(processors)
        found[name] = Turns(results[name], *medians, min(processors))
    return found


def processor_seconds() -> float:
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (me, *me.children(recursive=True)))


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def show(title: str, rows: Sequence[Any]) -> None:
    """Print dataclasses of one kind as a table, a column for each field."""
    table = Table(title=title)
    for name, value in asdict(rows[0]).items():
        table.add_column(name.replace("_", " "), justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*map(_cell, asdict(row).values()))
    Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else str(value)


def save(path: Path | None, figures: object) -> None:
    """Write figures as JSON where asked to; dataclasses become objects."""
    if path:
        path.write_text(json.dumps(figures, indent=1, default=asdict) + "\n", "utf-8")


def arithmetic(count: int) -> list[GenerationRequest]:
    """Return first attempts at so many additions."""
    problem = Arithmetic(ArithmeticSettings(train=count))
    rows = problem.load(Split.TRAIN)
    return requests_of(rows, map(problem.prompt, rows))


def gsm8k(folder: Path, count: int, *, exemplars: bool) -> list[GenerationRequest]:
    """Return first attempts at GSM8K's questions, after eight worked examples or alone."""
    problem = open_problem(GSM8KSettings(path=str(folder)))
    rows = problem.load(Split.TRAIN)[:count]
    prompts = [problem.prompt(row) if exemplars else f"Q: {row.question}\nA:" for row in rows]
    return requests_of(rows, prompts)


def requests_of(rows: Sequence[Observation], prompts: Iterable[str]) -> list[GenerationRequest]:
    keys = (rationale_key(0, 1, row.observation_id, 1) for row in rows)
    return [
        GenerationRequest(place, 1, False, prompt, key)
        for place, (prompt, key) in enumerate(zip(prompts, keys, strict=True))
    ]
