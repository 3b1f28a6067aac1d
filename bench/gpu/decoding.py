"""Generation on one device: speed and memory at growing batches against the forecast."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from ceilings import DEVICE, GIB, Ceilings, known_card, peak_gib, seconds, start_peak
from memory import Endless
from transformers import GenerationConfig

from adastar_core.compute import generation_flops
from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.source import parameter_count
from adastar_core.planning.cards import decoding_load
from adastar_core.planning.footprint import cache_bytes_per_token, generation_memory
from adastar_core.records import GenerationRequest

PROMPT = 128
"""Tokens of the longest prompt; the shortest has half of them."""


@dataclass(frozen=True)
class Speed:
    """One batch in which no response ends early: this project's loop, ``model.generate`` twice, and the forecast.

    In the second run torch has met all lengths before, which matters where it chooses cuDNN's attention.

    Utilization is of the measured ceilings: model FLOPs, and weights, keys and values read once per step.
    """

    rows: int
    tokens_per_second: float
    ms_per_step: float
    generate_tokens_per_second: float
    generate_again: float
    peak_of_generate_gib: float
    flops_utilization: float
    bandwidth_utilization: float
    seconds_over_forecast: float | None
    peak_gib: float
    forecast_gib: float


def open_endless(directory: Path) -> Endless:
    """Return a generator in bfloat16 whose responses never end early."""
    opened = open_transformers(directory, GeneratorSettings(dtype="bfloat16"))
    return Endless(opened._loaded, opened._vocabulary)


def speeds(
    generator: Endless, directory: Path, sizes: Sequence[int], tokens: int, ceilings: Ceilings
) -> Iterator[Speed]:
    """Measure each size of batch in turn."""
    for rows in sizes:
        yield _speed(generator, directory, rows, tokens, ceilings)


def _speed(generator: Endless, directory: Path, rows: int, tokens: int, ceilings: Ceilings) -> Speed:
    requests = requests_of(rows)
    ours = _timed(lambda new: generator.generate(requests, decoding(new)), tokens)
    peak = peak_gib()
    generate = _plain(generator, requests)
    plain, plain_peak = _timed(generate, tokens), peak_gib()
    again = _timed(generate, tokens)
    settings = GeneratorSettings(dtype="bfloat16", batch_size=rows, max_new_tokens=tokens)
    parameters, forecast = (
        parameter_count(directory),
        generation_memory(directory, settings, PROMPT, on_gpu=True),
    )
    read, card = sum(len(request.prompt) for request in requests), known_card()
    flops = generation_flops(parameters, read, rows * tokens)
    context, token_bytes = read / rows + tokens / 2, cache_bytes_per_token(directory, settings)
    load = decoding_load(flops, rows * tokens, rows, forecast.weights, context, token_bytes)
    return Speed(
        rows=rows,
        tokens_per_second=rows * tokens / ours,
        ms_per_step=ours / tokens * 1e3,
        generate_tokens_per_second=rows * tokens / plain,
        generate_again=rows * tokens / again,
        peak_of_generate_gib=plain_peak,
        flops_utilization=flops / ours / ceilings.tflops / 1e12,
        bandwidth_utilization=load.read_bytes / ours / ceilings.gigabytes_per_second / 1e9,
        seconds_over_forecast=ours / load.seconds(card, 1) if card else None,
        peak_gib=peak,
        forecast_gib=forecast.total / GIB,
    )


def requests_of(rows: int) -> list[GenerationRequest]:
    """Return requests whose prompts have ``PROMPT`` tokens or down to half as many, in tokenizers that split digits."""
    lengths = (PROMPT - (place * 7919) % (PROMPT // 2) for place in range(rows))
    return [
        GenerationRequest(place, 1, False, str(place % 10) * length, stream=place)
        for place, length in enumerate(lengths)
    ]


def decoding(tokens: int) -> Decoding:
    """Return plain sampling of ``tokens`` tokens."""
    return Decoding(False, temperature=1.0, top_p=1.0, max_new_tokens=tokens)


def _timed(act: Callable[[int], object], tokens: int) -> float:
    """Return the seconds of generating so many tokens, after a short warm-up; the peak of memory begins with them."""
    act(3)
    start_peak()
    return seconds(lambda: act(tokens))


def _plain(generator: Endless, requests: list[GenerationRequest]) -> Callable[[int], object]:
    """Return transformers' own ``generate`` of the same model, prompts and lengths."""
    model = generator._loaded
    prompts = generator._prompts(requests)
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts], device=DEVICE)
    mask = torch.tensor(
        [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=DEVICE
    )

    def act(tokens: int) -> torch.Tensor:
        config = GenerationConfig(
            do_sample=True,
            top_k=0,
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            eos_token_id=generator._vocabulary.eos,
            pad_token_id=0,
        )
        made: torch.Tensor = model.generate(input_ids=ids, attention_mask=mask, generation_config=config)
        return made.cpu()

    return act
