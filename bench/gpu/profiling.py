"""What a batch's time is spent on: the parts of the decoding loop alone, and how long the device works for each."""

import gzip
import json
import tempfile
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from ceilings import seconds, wait
from decoding import decoding, requests_of
from memory import Endless
from torch.profiler import ProfilerActivity, profile, record_function
from transformers import PreTrainedModel

from adastar_core.generators import Decoding, transformers
from adastar_core.generators.steps import Cached, Start
from adastar_core.generators.transformers import TransformersGenerator
from adastar_core.records import GenerationRequest


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
        def __init__(self, model: PreTrainedModel, start: Start) -> None:
            with watch.part("prepare"):
                super().__init__(model, start)
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
    requests, how = requests_of(rows), decoding(tokens)
    generator.generate(requests, how)
    whole = seconds(lambda: generator.generate(requests, how))
    watch = Watch(alone=True)
    alone = seconds(lambda: _run(generator, watch, requests, how))
    with tempfile.TemporaryDirectory() as folder:
        path = trace or Path(folder) / "trace.json.gz"
        busy = _busy(lambda: _run(generator, Watch(alone=False), requests, how), path)
    watch.seconds["the rest"] = alone - sum(watch.seconds.values())
    for name, took in watch.seconds.items():
        yield Part(name, took * 1e3, took / alone, busy.get(name, 0) * 1e3)
    yield Part("whole, without waiting", whole * 1e3, whole / alone, sum(busy.values()) * 1e3)


def _run(generator: Endless, watch: Watch, requests: list[GenerationRequest], how: Decoding) -> None:
    choose = transformers.choose

    def watched(*args: object) -> torch.Tensor:
        with watch.part("choose"):
            return choose(*args)  # type: ignore[arg-type]

    watching: TransformersGenerator = Endless(generator._loaded, generator._vocabulary, _watched(watch))
    with patch.object(transformers, "choose", watched):
        watching.generate(requests, how)


def _busy(act: Callable[[], None], trace: Path) -> dict[str, float]:
    """Return how many seconds the device worked for each named part, and for what belongs to none."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        act()
        wait()
    profiled.export_chrome_trace(str(trace))
    return busy_seconds(json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"])


def busy_seconds(events: list[dict[str, Any]]) -> dict[str, float]:
    """Add up the work of the device by the part during which it began; a part's work is one stretch of the device's time."""
    named = [event for event in events if event.get("cat") == "gpu_user_annotation"]
    stretches = sorted((event["ts"], event["ts"] + event["dur"], event["name"]) for event in named)
    starts = [start for start, _, _ in stretches]
    busy: defaultdict[str, float] = defaultdict(float)
    for event in events:
        if event.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset"):
            place = bisect_right(starts, event["ts"]) - 1
            inside = place >= 0 and event["ts"] < stretches[place][1]
            busy[stretches[place][2] if inside else "the rest"] += event["dur"] / 1e6
    return busy
