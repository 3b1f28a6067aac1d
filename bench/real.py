"""Compare engines on a real model and real prompts: GSM8K's questions after eight worked examples, all in one run.

This project's loop, vLLM where it can be imported, and ``model.generate``, in turns, on the same prompts; a token counts if
it belongs to a response. The profile's parts add up to the whole of one batch. A processor second is one of any of the
process's threads, children included, which other work on the machine disturbs less than the clock.

    adastar models get smollm2-135m
    OMP_NUM_THREADS=1 python bench/real.py --gsm8k FOLDER --json real.json
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import torch
from common import gsm8k as gsm8k_requests
from common import in_turns, processor_seconds, run, save, show
from generation import Contender, Sampling, plain_generate, project_generate

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Generator
from adastar_core.generators import transformers as loop
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.machine.numerics import processor
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import resolve_model
from adastar_core.records import GenerationRequest

OURS = "this project's loop"


@dataclass(frozen=True)
class Timing:
    """Medians of all rounds; the ratio is of processor seconds per token, relative to this project's loop."""

    engine: str
    tokens: int
    wall_seconds: float
    processor_seconds: float
    tokens_per_processor_second: float
    seconds_per_token_ratio: float


@dataclass(frozen=True)
class Part:
    """A part of generating one batch with this project's loop."""

    part: str
    processor_ms: float
    share: float


def main(
    *,
    gsm8k: Path,
    model: str = "smollm2-135m",
    dtype: Literal["float32", "bfloat16"] = "bfloat16",
    requests: int = 32,
    batch_size: int = 16,
    max_new_tokens: int = 64,
    temperature: float = 0.7,
    top_p: float = 0.95,
    rounds: int = 1,
    json: Path | None = None,
) -> None:
    """Measure, print tables, and write them as JSON where asked to.

    Args:
        gsm8k: Folder with GSM8K's files.
        model: A name from ``adastar models``, or a directory.
        dtype: Number format.
        requests: Attempts of one round.
        batch_size: Attempts at once.
        max_new_tokens: Longest rationale.
        temperature: Sampling temperature.
        top_p: Sample from the smallest set of tokens with this probability.
        rounds: Rounds of each engine.
        json: Where to write the figures.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    wanted = gsm8k_requests(gsm8k, requests, exemplars=True)
    how = Sampling(batch_size, max_new_tokens, dtype, temperature, top_p)
    settings = GeneratorSettings(dtype=dtype, batch_size=batch_size)
    directory = resolve_model(model)
    ours = open_transformers(directory, settings)
    with tempfile.TemporaryDirectory() as work, _vllm(directory, settings, Path(work)) as vllm:

        def contenders(some: list[GenerationRequest]) -> dict[str, Contender]:
            theirs = {"vLLM": project_generate(vllm, some, how)} if vllm else {}
            plain = {"model.generate": plain_generate(directory, some, how, padding="longest")}
            return {OURS: project_generate(ours, some, how), **theirs, **plain}

        in_turns(contenders(wanted[:2]), 1)  # warm up
        found = in_turns(contenders(wanted), rounds)
    timings = []
    each = {name: turns.processor / turns.result for name, turns in found.items()}
    for name, turns in found.items():
        ratio = each[name] / each[OURS]
        timings.append(Timing(name, turns.result, turns.wall, turns.processor, 1 / each[name], ratio))
    about = f"{model} in {dtype}: {requests} attempts, {batch_size} at once, on {processor()}"
    show(f"{about}, load {os.getloadavg()[0]:.1f}", timings)
    parts = profile(ours, wanted[:batch_size], how)
    show("This project's loop, one batch", parts)
    save(json, {"about": about, "sampling": how, "timings": timings, "parts": parts})


def profile(generator: TransformersGenerator, requests: list[GenerationRequest], how: Sampling) -> list[Part]:
    """Return what generating one batch spends its processor time on; the parts add up to the whole."""
    seconds = dict.fromkeys(
        ("read the shared prefix", "read the questions", "model, per token", "choose"), 0.0
    )
    seconds |= dict.fromkeys(("append", "drop ended rows"), 0.0)
    steps = [0]

    @contextmanager
    def part(name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        seconds[name] += time.process_time() - began

    class Watched(generator._way):  # type: ignore[name-defined,misc]
        def forward(self) -> torch.Tensor:
            if self._shared:
                with part("read the shared prefix"):
                    self._begin()
            steps[0] += 1
            with part("read the questions" if steps[0] == 1 else "model, per token"):
                return super().forward()

        def append(self, chosen: torch.Tensor) -> None:
            with part("append"):
                super().append(chosen)

        def keep(self, rows: torch.Tensor) -> None:
            with part("drop ended rows"):
                super().keep(rows)

    choose = loop.choose

    def choosing(*given: object) -> torch.Tensor:
        with part("choose"):
            return choose(*given)  # type: ignore[arg-type]

    watched = TransformersGenerator(generator._loaded, generator._vocabulary, Watched)
    began = processor_seconds()
    with patch.object(loop, "choose", choosing):
        project_generate(watched, requests, how)()
    whole = processor_seconds() - began
    seconds["the rest"] = whole - sum(seconds.values())
    rows = [Part(name, 1e3 * took, took / whole) for name, took in seconds.items()]
    return [*rows, Part(f"whole, {steps[0]} steps", 1e3 * whole, 1.0)]


@contextmanager
def _vllm(directory: Path, settings: GeneratorSettings, work: Path) -> Iterator[Generator | None]:
    if find_spec("vllm") is None:
        yield None
        return
    from adastar_core.generators.vllm import VllmGenerator

    engine = VllmGenerator(settings, work / "engine.log")
    try:
        engine.hand_over(directory, digest_of(directory))
        yield engine
    finally:
        engine.close()


if __name__ == "__main__":
    run(main, __doc__)
