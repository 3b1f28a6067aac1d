"""Compare the generation speed of vLLM and transformers on the same prompts, streams and checkpoint, in turns.

transformers' own ``generate``, which has no streams, runs too. A token counts if it belongs to a response. All contenders
have the same number of threads. vLLM computes in its own process, whose processor time is added to this one's. Models:
``tiny-adder``, a directory, or ``random-92m``, a Llama of 92 million parameters with random weights. Run it in the
environment of ``make test-vllm``:

    OMP_NUM_THREADS=1 python bench/engines.py --batch-size 256 --requests 1024 --json tiny.json
    OMP_NUM_THREADS=1 python bench/engines.py --model random-92m --batch-size 64 --requests 64 --json 92m.json
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from common import arithmetic, in_turns, run, save, show
from generation import Contender, Sampling, plain_generate, project_generate
from random_llama import write_random_llama

from adastar_core.config import GeneratorSettings
from adastar_core.generators.transformers import open_transformers
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import parameter_count, resolve_model
from adastar_core.records import GenerationRequest


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


def main(
    *,
    model: str = "tiny-adder",
    dtype: Literal["float32", "bfloat16"] = "float32",
    requests: int = 1024,
    batch_size: int = 256,
    max_new_tokens: int = 80,
    rounds: int = 3,
    json: Path | None = None,
) -> None:
    """Measure, print a table, and write it as JSON where asked to.

    Args:
        model: tiny-adder, random-3m, random-92m or a directory.
        dtype: Number format.
        requests: Attempts of one round.
        batch_size: Attempts at once.
        max_new_tokens: Longest rationale.
        rounds: Rounds of each engine.
        json: Where to write the figures.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    wanted, how = arithmetic(requests), Sampling(batch_size, max_new_tokens, dtype)
    settings = GeneratorSettings(dtype=dtype, batch_size=batch_size)
    with tempfile.TemporaryDirectory() as folder:
        if model in ("random-3m", "random-92m"):
            directory = write_random_llama(Path(folder) / "model", model.removeprefix("random-"))
        else:
            directory = resolve_model(model)
        transformers = open_transformers(directory, settings)
        vllm = VllmGenerator(settings, Path(folder) / "engine.log")

        def contenders(some: list[GenerationRequest]) -> dict[str, Contender]:
            return {
                "transformers": project_generate(transformers, some, how),
                "vllm": project_generate(vllm, some, how),
                "model.generate": plain_generate(directory, some, how, padding="longest"),
            }

        try:
            vllm.hand_over(directory, digest_of(directory))
            in_turns(contenders(wanted[:8]), 1)  # warm up
            found = in_turns(contenders(wanted), rounds)
        finally:
            vllm.close()
        parameters = parameter_count(directory)
    ours, timings = found["transformers"], []
    for name, turns in found.items():
        speed = turns.result / turns.wall
        wall_ratio = speed / (ours.result / ours.wall)
        processor_ratio = turns.result / turns.processor / (ours.result / ours.processor)
        seconds = turns.wall, turns.processor
        timings.append(Timing(name, turns.result, *seconds, speed, wall_ratio, processor_ratio))
    load = os.getloadavg()[0]
    about = f"{parameters:,} parameters: {requests} attempts, {batch_size} at once; load {load:.1f}"
    show(f"{model}, {about}", timings)
    asked = {"model": model, "dtype": dtype, "requests": requests, "batch_size": batch_size}
    save(json, {**asked, "load": load, "timings": timings})


if __name__ == "__main__":
    run(main, __doc__)
