"""Count how many responses rounding changes: each precision in other batches, paddings, threads and precisions.

Every attempt has its own random stream, so in exact arithmetic its response depends only on prompt, stream and weights.
The reference of each precision is one batch of all requests on one thread::

    python bench/rounding.py --json rounding.json
    python bench/rounding.py --model DIRECTORY --gsm8k FOLDER --requests 48 --max-new-tokens 32
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import torch
from rich.console import Console
from rich.table import Table

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.machine.quiet import no_progress_bars
from adastar_core.models.source import resolve_model
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.gsm8k import GSM8KSettings
from adastar_core.records import GenerationRequest, Split
from adastar_core.streams import rationale_key

PRECISIONS = [name for name in get_args(GeneratorSettings.model_fields["dtype"].annotation) if name != "auto"]


@dataclass(frozen=True)
class Count:
    """How many of the responses differ from the reference when one thing is changed."""

    precision: str
    decoding: str
    change: str
    differ: int
    of: int


def main() -> None:
    """Count, print a table, and write it as JSON where asked to."""
    options = _options()
    requests = _gsm8k(options) if options.gsm8k else _arithmetic(options.requests)
    counts = []
    for count in _counts(options, requests):
        print(
            f"{count.precision}, {count.decoding}, {count.change}: {count.differ} of {count.of}", flush=True
        )
        counts.append(count)
    Console().print(_table(counts, options))
    if options.json:
        options.json.write_text(json.dumps([asdict(count) for count in counts], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny-adder", help="packaged name, directory or hub name")
    parser.add_argument("--gsm8k", type=Path, help="folder with GSM8K's files; without it, arithmetic")
    parser.add_argument("--requests", type=int, default=64, help="attempts, all in one batch for reference")
    parser.add_argument("--max-new-tokens", type=int, default=80, help="longest rationale")
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1, 7], help="batch sizes to compare")
    parser.add_argument("--greedy", action="store_true", help="count greedy responses too")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


def _arithmetic(count: int) -> list[GenerationRequest]:
    problem = Arithmetic(ArithmeticSettings(train=count))
    return [
        GenerationRequest(place, 1, False, problem.prompt(row), rationale_key(0, 1, row.observation_id, 1))
        for place, row in enumerate(problem.load(Split.TRAIN))
    ]


def _gsm8k(options: argparse.Namespace) -> list[GenerationRequest]:
    rows = open_problem(GSM8KSettings(path=str(options.gsm8k))).load(Split.TRAIN)[: options.requests]
    return [
        GenerationRequest(
            place, 1, False, f"Q: {row.question}\nA:", rationale_key(0, 1, row.observation_id, 1)
        )
        for place, row in enumerate(rows)
    ]


def _counts(options: argparse.Namespace, requests: list[GenerationRequest]) -> Iterator[Count]:
    for greedy in (False, True) if options.greedy else (False,):
        decoding = Decoding(greedy, temperature=1.0, top_p=1.0, max_new_tokens=options.max_new_tokens)
        name = "greedy" if greedy else "sampled"
        first: list[str] | None = None
        for precision in options.precisions:
            with no_progress_bars():
                generator = open_transformers(
                    resolve_model(options.model), GeneratorSettings(dtype=precision)
                )
            torch.set_num_threads(1)
            reference = _responses(generator, requests, decoding, len(requests))
            for change, responses in _changed(generator, requests, decoding, options.sizes):
                yield Count(precision, name, change, _differing(reference, responses), len(requests))
            if first is not None:
                change = f"{options.precisions[0]} instead"
                yield Count(precision, name, change, _differing(reference, first), len(requests))
            first = first or reference
            generator.close()


def _changed(
    generator: TransformersGenerator,
    requests: list[GenerationRequest],
    decoding: Decoding,
    sizes: list[int],
) -> Iterator[tuple[str, list[str]]]:
    """Yield what was changed, and the responses with it."""
    count = len(requests)
    yield "nothing", _responses(generator, requests, decoding, count)
    for size in sizes:
        yield f"batch of {size}", _responses(generator, requests, decoding, size)
    wide = GenerationRequest(count, 1, False, requests[0].prompt * 3, 1)
    yield "wider padding", _responses(generator, [*requests, wide], decoding, count + 1)[:count]
    torch.set_num_threads(2)
    yield "2 threads", _responses(generator, requests, decoding, count)
    torch.set_num_threads(1)


def _responses(
    generator: TransformersGenerator, requests: list[GenerationRequest], decoding: Decoding, size: int
) -> list[str]:
    return [
        attempt.response
        for start in range(0, len(requests), size)
        for attempt in generator.generate(requests[start : start + size], decoding)
    ]


def _differing(ones: list[str], others: list[str]) -> int:
    return sum(one != other for one, other in zip(ones, others, strict=True))


def _table(counts: list[Count], options: argparse.Namespace) -> Table:
    table = Table(title=f"{options.model}: responses that differ, of {options.requests}")
    for heading in ("precision", "decoding", "changed", "differ"):
        table.add_column(heading, justify="right" if heading == "differ" else "left")
    for one in counts:
        table.add_row(one.precision, one.decoding, one.change, f"{one.differ} of {one.of}")
    return table


if __name__ == "__main__":
    main()
