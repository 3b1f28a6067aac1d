"""Compare the generation speed of vLLM and transformers on the same prompts, streams and checkpoint, in turns.

transformers' own ``generate``, which has no streams, runs too. A token counts if it belongs to a response. All contenders
have the same number of threads. vLLM computes in its own process, whose processor time is added to this one's. Models:
``tiny-adder``, a directory, or ``random-92m``, a Llama of 92 million parameters with random weights. Run it in the
environment of ``make test-vllm``:

    OMP_NUM_THREADS=1 python bench/engines.py --batch-size 256 --requests 1024 --json tiny.json
    OMP_NUM_THREADS=1 python bench/engines.py --model random-92m --batch-size 64 --requests 64 --json 92m.json
"""

import argparse
import functools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch
from generation import Contender, plain_generate
from random_llama import write_random_llama
from rich.console import Console
from rich.table import Table

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding, Generator
from adastar_core.generators.transformers import open_transformers
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import parameter_count, resolve_model
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.records import GenerationRequest, Split
from adastar_core.streams import rationale_key

SHAPES = {
    "random-3m": {"hidden": 256, "layers": 4, "intermediate": 640},
    "random-92m": {"hidden": 768, "layers": 12, "intermediate": 2304},
}


@dataclass(frozen=True)
class Timing:
    """Medians of all rounds of one engine; ratios are against this project's transformers."""

    engine: str
    tokens: int
    wall_seconds: float
    processor_seconds: float
    tokens_per_second: float
    wall_ratio: float
    processor_ratio: float


def main() -> None:
    """Measure, print a table, and write it as JSON where asked to."""
    options = _options()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    with tempfile.TemporaryDirectory() as folder, _engines(options, Path(folder)) as (model_dir, engines):
        contenders = {name: _contender(engine, options) for name, engine in engines.items()}
        contenders["model.generate"] = plain_generate(
            argparse.Namespace(**{**vars(options), "model": model_dir}), {"padding": "longest"}
        )
        timings = measure(contenders, requests(options.requests), options.rounds)
        title = f"{options.model}, {parameter_count(model_dir):,} parameters: {options.requests} attempts, {options.batch_size} at once"
    load = os.getloadavg()[0]
    Console().print(_table(timings, f"{title}; load {load:.1f}"))
    if options.json:
        values = {**vars(options), "json": None, "load": load, "timings": [asdict(one) for one in timings]}
        options.json.write_text(json.dumps(values, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", default="tiny-adder", help="tiny-adder, random-3m, random-92m or a directory"
    )
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--requests", type=int, default=1024, help="attempts of one round")
    parser.add_argument("--batch-size", type=int, default=256, help="attempts at once")
    parser.add_argument("--max-new-tokens", type=int, default=80, help="longest rationale")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each engine")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


@contextmanager
def _engines(options: argparse.Namespace, folder: Path) -> Iterator[tuple[Path, dict[str, Generator]]]:
    shape = SHAPES.get(options.model)
    model_dir = write_random_llama(folder / "model", **shape) if shape else resolve_model(options.model)
    settings = GeneratorSettings(dtype=options.dtype, batch_size=options.batch_size)
    vllm = VllmGenerator(settings, folder / "engine.log")
    try:
        vllm.hand_over(model_dir, digest_of(model_dir))
        yield model_dir, {"transformers": open_transformers(model_dir, settings), "vllm": vllm}
    finally:
        vllm.close()


def requests(count: int) -> list[GenerationRequest]:
    """Return first attempts at so many additions."""
    problem = Arithmetic(ArithmeticSettings(train=count))
    return [
        GenerationRequest(place, 1, False, problem.prompt(row), rationale_key(0, 1, row.observation_id, 1))
        for place, row in enumerate(problem.load(Split.TRAIN))
    ]


def _contender(engine: Generator, options: argparse.Namespace) -> Contender:
    decoding = Decoding(False, temperature=1.0, top_p=1.0, max_new_tokens=options.max_new_tokens)

    def run(wanted: list[GenerationRequest]) -> int:
        starts = range(0, len(wanted), options.batch_size)
        batches = (wanted[start : start + options.batch_size] for start in starts)
        return sum(one.generated_tokens for batch in batches for one in engine.generate(batch, decoding))

    return run


def measure(contenders: dict[str, Contender], wanted: list[GenerationRequest], rounds: int) -> list[Timing]:
    """Return each contender's medians; they take turns, and a first small batch is not counted."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    tokens: dict[str, int] = {}
    for contender in contenders.values():
        contender(wanted[:8])
    for _ in range(rounds):
        for name, contender in contenders.items():
            tokens[name], timing = timed(functools.partial(contender, wanted))
            seconds[name].append(timing)
    return _timings(tokens, seconds)


def timed(run: Callable[[], int]) -> tuple[int, tuple[float, float]]:
    """Return what ``run`` returns, and the wall and processor seconds that it took with all child processes."""
    wall, processor = time.perf_counter(), _processor_seconds()
    result = run()
    return result, (time.perf_counter() - wall, _processor_seconds() - processor)


def _processor_seconds() -> float:
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (me, *me.children(recursive=True)))


def _timings(tokens: dict[str, int], seconds: dict[str, list[tuple[float, float]]]) -> list[Timing]:
    medians = {
        name: (statistics.median(wall for wall, _ in each), statistics.median(used for _, used in each))
        for name, each in seconds.items()
    }
    wall_0, processor_0 = (tokens["transformers"] / each for each in medians["transformers"])
    return [
        Timing(
            name,
            tokens[name],
            wall,
            processor,
            tokens[name] / wall,
            tokens[name] / wall / wall_0,
            tokens[name] / processor / processor_0,
        )
        for name, (wall, processor) in medians.items()
    ]


def _table(timings: list[Timing], title: str) -> Table:
    table = Table(
        "engine", "tokens", "wall s", "processor s", "tokens/s", "x wall", "x processor", title=title
    )
    for one in timings:
        seconds = (f"{one.wall_seconds:.2f}", f"{one.processor_seconds:.2f}")
        ratios = (f"{one.wall_ratio:.2f}", f"{one.processor_ratio:.2f}")
        table.add_row(one.engine, f"{one.tokens:,}", *seconds, f"{one.tokens_per_second:,.0f}", *ratios)
    return table


if __name__ == "__main__":
    main()
