"""Generation on one device: speed and memory at growing batches against the forecast, and what a step consists of."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch
from ceilings import DEVICE, GIB, Ceilings, known_card, peak_gib, seconds, start_peak, wait
from memory import Endless
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function
from transformers import GenerationConfig, PreTrainedModel

from adastar_core.compute import generation_flops
from adastar_core.config import GeneratorSettings
from adastar_core.generators import Decoding, transformers
from adastar_core.generators.steps import Cached
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.models.source import parameter_count
from adastar_core.planning.cards import decoding_load
from adastar_core.planning.footprint import cache_bytes_per_token, generation_memory
from adastar_core.records import GenerationRequest

PROMPT = 128
"""Tokens of the longest prompt; the shortest has half of them."""


@dataclass(frozen=True)
class Speed:
    """One batch in which no response ends early: this project's loop, ``model.generate``, and the forecast.

    Utilization is of the measured ceilings: model FLOPs, and weights, keys and values read once per step.
    """

    rows: int
    tokens_per_second: float
    ms_per_step: float
    generate_tokens_per_second: float
    over_generate: float
    flops_utilization: float
    bandwidth_utilization: float
    seconds_over_forecast: float | None
    peak_gib: float
    forecast_gib: float


@dataclass(frozen=True)
class Part:
    """What one part of the loop takes: milliseconds for a whole batch.

    ``alone_ms`` is its time when the device is waited for before and after it; ``device_ms`` is how long the
    device was busy with it in a run without such waits.
    """

    part: str
    alone_ms: float
    share: float
    device_ms: float


def open_endless(directory: Path) -> Endless:
    opened = open_transformers(directory, GeneratorSettings(dtype="bfloat16"))
    return Endless(opened._loaded, opened._vocabulary)


def speeds(
    generator: Endless, directory: Path, sizes: Sequence[int], tokens: int, ceilings: Ceilings
) -> Iterator[Speed]:
    for rows in sizes:
        yield _speed(generator, directory, rows, tokens, ceilings)


def _speed(generator: Endless, directory: Path, rows: int, tokens: int, ceilings: Ceilings) -> Speed:
    requests = requests_of(rows)
    ours = _timed(lambda new: generator.generate(requests, _decoding(new)), tokens)
    peak = peak_gib()
    plain = _timed(_plain(generator, requests), tokens)
    settings = GeneratorSettings(dtype="bfloat16", batch_size=rows, max_new_tokens=tokens)
    parameters, forecast = (
        parameter_count(directory),
        generation_memory(directory, settings, PROMPT, bf16=True),
    )
    read, card = sum(len(request.prompt) for request in requests), known_card()
    flops = generation_flops(parameters, read, rows * tokens)
    context, token_bytes = read / rows + tokens / 2, cache_bytes_per_token(directory, settings, bf16=True)
    load = decoding_load(flops, rows * tokens, rows, forecast.weights, context, token_bytes)
    return Speed(
        rows=rows,
        tokens_per_second=rows * tokens / ours,
        ms_per_step=ours / tokens * 1e3,
        generate_tokens_per_second=rows * tokens / plain,
        over_generate=plain / ours,
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
        GenerationRequest(place, 1, False, "1" * length, stream=place) for place, length in enumerate(lengths)
    ]


def _decoding(tokens: int) -> Decoding:
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


class Watch:
    """Adds up the seconds of named parts. With ``alone`` the device is waited for before and after each."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._wait()
        started = time.perf_counter()
        with record_function(name):
            yield
        self._wait()
        self.seconds[name] += time.perf_counter() - started

    def _wait(self) -> None:
        if self._alone:
            wait()


def _watched(watch: Watch) -> type[Cached]:
    class Watched(Cached):
        def __init__(
            self, model: PreTrainedModel, prompts: list[list[int]], streams: list[int], room: int
        ) -> None:
            with watch.part("prepare"):
                super().__init__(model, prompts, streams, room)
            self._read = False

        def forward(self) -> torch.Tensor:
            with watch.part("model, a step" if self._read else "model, prompts"):
                self._read = True
                return super().forward()

        def append(self, chosen: torch.Tensor) -> None:
            with watch.part("append"):
                super().append(chosen)

    return Watched


def parts(generator: Endless, rows: int, tokens: int, trace: Path | None) -> Iterator[Part]:
    """Yield what a batch's time is spent on; the last two are the rest, and the whole without any waiting."""
    requests, decoding = requests_of(rows), _decoding(tokens)
    generator.generate(requests, decoding)
    whole = seconds(lambda: generator.generate(requests, decoding))
    watch = Watch(alone=True)
    alone = seconds(lambda: _run(generator, watch, requests, decoding))
    busy, device = _busy(lambda: _run(generator, Watch(alone=False), requests, decoding), trace)
    watch.seconds["the rest"] = alone - sum(watch.seconds.values())
    busy["the rest"] = device - sum(busy.get(name, 0) for name in watch.seconds)
    for name, took in watch.seconds.items():
        yield Part(name, took * 1e3, took / alone, busy.get(name, 0) * 1e3)
    yield Part("whole, without waiting", whole * 1e3, whole / alone, device * 1e3)


def _run(generator: Endless, watch: Watch, requests: list[GenerationRequest], decoding: Decoding) -> None:
    choose = transformers.noisy_scores

    def watched(*args: object) -> torch.Tensor:
        with watch.part("choose"):
            return choose(*args)  # type: ignore[arg-type]

    watching: TransformersGenerator = Endless(generator._loaded, generator._vocabulary, _watched(watch))
    with patch.object(transformers, "noisy_scores", watched):
        watching.generate(requests, decoding)


def _busy(act: Callable[[], None], trace: Path | None) -> tuple[dict[str, float], float]:
    """Return how many seconds the device worked for each named part, and in all."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], acc_events=True) as profiled:
        act()
        wait()
    if trace:
        profiled.export_chrome_trace(str(trace))
    busy: dict[str, float] = {}
    device = 0.0
    for event in profiled.key_averages():
        if event.device_type == DeviceType.CPU:
            busy[event.key] = event.device_time_total / 1e6
        elif not event.is_user_annotation:
            device += event.self_device_time_total / 1e6
    return busy, device
