"""The memory that ``--dry-run`` predicts for training and generation, against what a separate process holds.

Measured is the growth of the process's resident memory from the loaded model to the peak. The C library is told to return
memory at once; by default it keeps up to as much again of a tiny model's many small tensors. ``--model`` is
``tiny-adder``, a directory, or ``random-92m``:

    OMP_NUM_THREADS=1 python bench/memory.py --model random-92m --batch-size 8 --json memory.json
"""

import ctypes
import os
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import torch
from common import run, save
from random_llama import write_random_llama
from rich.console import Console

from adastar_core.config import GeneratorSettings, TrainerSettings
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import TransformersGenerator, open_transformers
from adastar_core.models.source import resolve_model
from adastar_core.planning.footprint import generation_memory, training_memory
from adastar_core.records import GenerationRequest
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.job import Job, open_training

PROMPT = 16


class Endless(TransformersGenerator):
    """Never ends a row before its longest length."""

    def _is_text(self, size: int) -> torch.Tensor:
        return torch.ones(size, dtype=torch.bool, device=self._loaded.device)


def main(
    *, model: str = "tiny-adder", batch_size: int = 64, length: int = 96, json: Path | None = None
) -> None:
    """Measure, print, and write the figures as JSON if asked.

    Args:
        model: tiny-adder, random-92m or a directory.
        batch_size: Texts of a step, and attempts at once.
        length: Tokens of each text.
        json: Where to write the figures.
    """
    with tempfile.TemporaryDirectory() as folder:
        random = model == "random-92m"
        directory = write_random_llama(Path(folder) / "model") if random else resolve_model(model)
        figures = {
            "training": _compare(_train, directory, batch_size, length),
            "generation": _compare(_generate, directory, batch_size, length),
        }
    Console().print_json(data=figures)
    save(json, figures)


def _compare(
    act: Callable[[Path, int, int], dict[str, int]], model: Path, size: int, length: int
) -> dict[str, float]:
    """Return the predicted and the held bytes of ``act``, in a fresh process."""
    os.environ.update(dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), "65536"))
    with get_context("spawn").Pool(1) as pool:
        found = pool.apply(act, (model, size, length))
    return {**found, "ratio": found["predicted_bytes"] / found["measured_bytes"]}


def _train(model: Path, size: int, length: int) -> dict[str, int]:
    settings = TrainerSettings(batch_size=size, dtype="float32")
    predicted = training_memory(model, settings, length)
    examples = tuple(TrainingExample("1+", "2" * (length - 3), str(place)) for place in range(2 * size))
    with tempfile.TemporaryDirectory() as work:
        job = Job(model, examples, settings, 2, None, 0, 1, Path(work) / "out", Path(work))
        training = open_training(job, job.plan())
        training.model.train()
        before = _start(training.model)
        training._step(0)
        training._step(1)
    return {
        "predicted_bytes": predicted.moments + predicted.passing,
        "measured_bytes": _status("VmHWM") - before,
    }


def _generate(model: Path, size: int, length: int) -> dict[str, int]:
    settings = GeneratorSettings(batch_size=size, max_new_tokens=length, dtype="float32")
    predicted = generation_memory(model, settings, PROMPT)
    opened = open_transformers(model, settings)
    generator = Endless(opened._loaded, opened._vocabulary)
    requests = [
        GenerationRequest(place, 1, False, str(place % 10) * PROMPT, stream=place) for place in range(size)
    ]
    before = _start(generator._loaded)
    generator.generate(requests, Decoding(False, 1.0, 1.0, length))
    return {
        "predicted_bytes": predicted.cache + predicted.working,
        "measured_bytes": _status("VmHWM") - before,
    }


def _start(model: torch.nn.Module) -> int:
    """Read every weight into memory, then return the resident memory in bytes and reset the peak."""
    sum(float(weight.detach().sum()) for weight in model.parameters())
    ctypes.CDLL(None).malloc_trim(0)  # else what loading left is used again, and does not count as growth
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    """Return one of Linux's figures of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


if __name__ == "__main__":
    run(main, __doc__)
