"""vLLM on one GPU: speed, hand-over of new weights, rest and waking, and the memory that rest frees."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ceilings import Memory, memory, seconds
from decoding import requests_of

from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models.checkpoints import digest_of


@dataclass(frozen=True)
class EngineTime:
    """How long vLLM takes for something; for generation, in tokens per second too."""

    what: str
    seconds: float
    tokens_per_second: float | None
    memory: Memory


def engine_times(model: Path, log: Path, sizes: Sequence[int], tokens: int) -> Iterator[EngineTime]:
    """Yield a measurement at a time. The weights that are handed over equal the first: reading them takes as long."""
    settings = GeneratorSettings(dtype="bfloat16", batch_size=max(sizes), max_new_tokens=tokens)
    generator, digest = VllmGenerator(settings, log), digest_of(model)
    decoding = Decoding(False, temperature=1.0, top_p=1.0, max_new_tokens=tokens)
    acts = {
        "start": lambda: generator.hand_over(model, digest),
        "hand-over": lambda: generator.hand_over(model, digest),
        "rest": generator.rest,
        "wake": lambda: generator.hand_over(model, digest),
    }
    try:
        for what, act in acts.items():
            yield EngineTime(what, seconds(act), None, memory(f"after {what}"))
        for rows in sizes:
            requests = requests_of(rows)
            generator.generate(requests[:8], decoding)
            began = time.perf_counter()
            attempts = generator.generate(requests, decoding)
            took = time.perf_counter() - began
            made = sum(attempt.generated_tokens for attempt in attempts)
            yield EngineTime(f"{rows} attempts", took, made / took, memory(f"after {rows} attempts"))
    finally:
        generator.close()
    yield EngineTime("close", 0, None, memory("after close"))
