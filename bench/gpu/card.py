"""Measure one GPU: generation by both engines, hand-over, memory between stages, training, relative to its measured peak.

The model is a Llama with random weights (3 billion parameters by default) in bfloat16. Needs a GPU, and vLLM for its half
of the figures:

    PYTHONPATH=bench python bench/gpu/card.py --json card.json
"""

import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from common import arithmetic, run, save
from random_llama import write_random_llama
from rich.console import Console

from adastar_core.compute import generation_flops, training_flops
from adastar_core.config import GeneratorSettings, TrainerSettings
from adastar_core.generators import Decoding, Generator
from adastar_core.generators.device import free_bytes
from adastar_core.generators.transformers import open_transformers
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import parameter_count
from adastar_core.trainers import TrainingExample, sft

Shape = Literal["3b", "1b", "92m"]
Figures = dict[str, float]


@dataclass(frozen=True)
class Load:
    """What is generated at once."""

    batch_size: int
    max_new_tokens: int


def main(
    *,
    shape: Shape = "3b",
    batch_size: int = 256,
    max_new_tokens: int = 256,
    vllm: bool = True,
    training: bool = True,
    json: Path | None = None,
) -> None:
    """Measure what the card can do, print it, and write it as JSON where asked to.

    Args:
        shape: Size of the model.
        batch_size: Attempts at once.
        max_new_tokens: Longest rationale.
        vllm: Whether to measure vLLM.
        training: Whether to measure training.
        json: Where to write the figures.
    """
    if not torch.cuda.is_available():
        raise SystemExit("This needs a GPU: torch finds none.")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), shape, Load(batch_size, max_new_tokens), vllm=vllm, training=training)
    Console().print_json(data=figures)
    save(json, figures)


def measure(folder: Path, shape: Shape, load: Load, *, vllm: bool, training: bool) -> dict[str, object]:
    models = [write_random_llama(folder / str(seed), shape, seed=seed) for seed in (0, 1)]
    torch.cuda.empty_cache()
    parameters, peak = parameter_count(models[0]), peak_flops()
    figures: dict[str, object] = {
        "card": torch.cuda.get_device_name(),
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "parameters": parameters,
        "peak_tflops_measured": peak / 1e12,
        "free_gib_before": _free_gib(),
    }
    settings = GeneratorSettings(dtype="bfloat16", batch_size=load.batch_size)
    transformers = open_transformers(models[0], settings)
    figures["transformers"] = generation(transformers, load, parameters, peak)
    transformers.close()
    figures["free_gib_after_transformers"] = _free_gib()
    if vllm:
        figures["vllm"] = vllm_figures(models, folder, settings, load, parameters, peak)
    if training:
        figures["training"] = training_figures(models[0], folder, parameters, peak)
        figures["free_gib_after_training"] = _free_gib()
    return figures


def peak_flops(width: int = 8192, times: int = 50) -> float:
    """Return the floating-point operations per second of large bfloat16 products: the most that a model can hope for."""
    left, right = (torch.randn(width, width, device="cuda", dtype=torch.bfloat16) for _ in range(2))

    def multiply() -> None:
        for _ in range(times):
            left @ right

    multiply()
    return 2 * width**3 * times / _seconds(multiply)


def generation(generator: Generator, load: Load, parameters: int, peak: float) -> Figures:
    """Return the tokens per second of one batch, and the share of the peak that they are."""
    decoding = Decoding(False, temperature=1.0, top_p=1.0, max_new_tokens=load.max_new_tokens)
    wanted = arithmetic(load.batch_size)
    generator.generate(wanted[:8], decoding)
    started = time.perf_counter()
    attempts = generator.generate(wanted, decoding)
    seconds = time.perf_counter() - started
    generated = sum(attempt.generated_tokens for attempt in attempts)
    flops = generation_flops(parameters, sum(attempt.prompt_tokens for attempt in attempts), generated)
    return {"tokens_per_second": generated / seconds, "utilization": flops / seconds / peak}


def vllm_figures(
    models: list[Path], folder: Path, settings: GeneratorSettings, load: Load, parameters: int, peak: float
) -> Figures:
    """Return vLLM's figures: speed, seconds of a hand-over and of rest and waking, and the memory that rest frees."""
    generator = VllmGenerator(settings, folder / "engine.log")
    digests = [digest_of(model) for model in models]
    try:
        figures = {"start_seconds": _seconds(lambda: generator.hand_over(models[0], digests[0]))}
        figures |= generation(generator, load, parameters, peak)
        figures["hand_over_seconds"] = _seconds(lambda: generator.hand_over(models[1], digests[1]))
        figures["free_gib_awake"] = _free_gib()
        figures["rest_seconds"] = _seconds(generator.rest)
        figures["free_gib_at_rest"] = _free_gib()
        figures["wake_seconds"] = _seconds(lambda: generator.hand_over(models[0], digests[0]))
    finally:
        generator.close()
    figures["free_gib_closed"] = _free_gib()
    return figures


def training_figures(model: Path, folder: Path, parameters: int, peak: float) -> Figures:
    """Return the tokens per second of fine-tuning, loading and saving left out, and the share of the peak."""
    examples = [TrainingExample("1+1=" * 32, "2\n" * 64, str(number)) for number in range(64)]
    settings = TrainerSettings(batch_size=8, max_length=512, save_every=1000)
    output, work = folder / "tuned", folder / "work"
    outcome = sft.finetune(
        model, examples, settings, planned_steps=8, seed=0, iteration=1, output=output, work=work
    )
    torch.cuda.empty_cache()
    speed, flops = outcome.train_tokens / outcome.seconds, training_flops(parameters, outcome.train_tokens)
    return {"tokens_per_second": speed, "utilization": flops / outcome.seconds / peak}


def _seconds(act: Callable[[], None]) -> float:
    torch.cuda.synchronize()
    started = time.perf_counter()
    act()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def _free_gib() -> float:
    return (free_bytes() or 0) / 2**30


if __name__ == "__main__":
    run(main, __doc__)
