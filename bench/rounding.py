"""Count how many responses rounding changes: each precision in other batches, paddings, threads and precisions.

Every attempt has its own random stream, so in exact arithmetic its response depends only on prompt, stream and weights.
The reference of each precision is one batch of all requests on one thread::

    python bench/rounding.py --json rounding.json
    python bench/rounding.py --model DIRECTORY --gsm8k FOLDER --requests 48 --max-new-tokens 32
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from common import arithmetic, run, save, show
from common import gsm8k as gsm8k_requests

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.machine.quiet import no_progress_bars
from adastar_core.models.source import resolve_model
from adastar_core.records import GenerationRequest

PRECISIONS = [name for name in get_args(GeneratorSettings.model_fields["dtype"].annotation) if name != "auto"]


@dataclass(frozen=True)
class Count:
    """How many of the responses differ from the reference when one thing is changed."""

    precision: str
    decoding: str
    change: str
    differ: int
    of: int


def main(
    *,
    model: str = "tiny-adder",
    gsm8k: Path | None = None,
    requests: int = 64,
    max_new_tokens: int = 80,
    precisions: Sequence[str] = tuple(PRECISIONS),
    sizes: Sequence[int] = (1, 7),
    greedy: bool = False,
    json: Path | None = None,
) -> None:
    """Count, print a table, and write it as JSON where asked to.

    Args:
        model: Packaged name, directory or hub name.
        gsm8k: Folder with GSM8K's files; without it, arithmetic.
        requests: Attempts, all in one batch for reference.
        max_new_tokens: Longest rationale.
        precisions: Number formats.
        sizes: Batch sizes to compare.
        greedy: Count greedy responses too.
        json: Where to write the figures.
    """
    wanted = gsm8k_requests(gsm8k, requests, exemplars=False) if gsm8k else arithmetic(requests)
    found, ways = [], (False, True) if greedy else (False,)
    decodings = [Decoding(way, temperature=1.0, top_p=1.0, max_new_tokens=max_new_tokens) for way in ways]
    for count in counts(resolve_model(model), wanted, precisions, sizes, decodings):
        changed = f"{count.precision}, {count.decoding}, {count.change}"
        print(f"{changed}: {count.differ} of {count.of}", flush=True)
        found.append(count)
    show(f"{model}: responses that differ, of {requests}", found)
    save(json, found)


def counts(
    model: Path,
    requests: list[GenerationRequest],
    precisions: Sequence[str],
    sizes: Sequence[int],
    decodings: list[Decoding],
) -> Iterator[Count]:
    """Yield a count at a time, for every decoding, precision and change."""
    for decoding in decodings:
        name = "greedy" if decoding.greedy else "sampled"
        first: list[str] | None = None
        for precision in precisions:
            with no_progress_bars():
                generator = open_transformers(model, GeneratorSettings(dtype=precision))
            torch.set_num_threads(1)
            reference = _responses(generator, requests, decoding, len(requests))
            for change, responses in _changed(generator, requests, decoding, sizes):
                yield Count(precision, name, change, _differing(reference, responses), len(requests))
            if first is not None:
                change = f"{precisions[0]} instead"
                yield Count(precision, name, change, _differing(reference, first), len(requests))
            first = first or reference
            generator.close()


def _changed(
    generator: TransformersGenerator,
    requests: list[GenerationRequest],
    decoding: Decoding,
    sizes: Sequence[int],
) -> Iterator[tuple[str, list[str]]]:
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


def _differing(left: list[str], right: list[str]) -> int:
    return sum(a != b for a, b in zip(left, right, strict=True))


if __name__ == "__main__":
    run(main, __doc__)
