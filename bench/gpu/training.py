"""Measure training tokens per second, memory and FLOPs utilization on one GPU or several, for a Llama with random weights.

Utilization is the model's FLOPs (``4 P + 6 A`` or ``6 P`` per token, and attention's) over the card's peak, as measured
with a large bfloat16 matrix product. Run it on a machine with GPUs:

    PYTHONPATH=bench python bench/gpu/training.py --processes 1 --batching packed --json training-gpu.json
"""

import tempfile
import time
from pathlib import Path
from typing import Literal

import torch
from card import Shape, peak_flops
from common import run, save
from random_llama import SHAPES, write_random_llama
from rich.console import Console

from adastar_core import compute
from adastar_core.config import LoraSettings, TrainerSettings
from adastar_core.models.source import model_shape
from adastar_core.trainers import TrainingExample, TrainingProgress
from adastar_core.trainers.sft import finetune


def main(
    *,
    shape: Shape = "3b",
    steps: int = 20,
    batch_size: int = 32,
    micro_batch_size: int = 8,
    characters: int = 500,
    processes: int = 1,
    batching: Literal["padded", "packed", "length_grouped"] = "packed",
    gradient_checkpointing: bool = False,
    lora_rank: int | None = None,
    json: Path | None = None,
) -> None:
    """Measure, print, and write the figures as JSON where asked to.

    Args:
        shape: Size of the model.
        steps: Optimizer steps; the first five are not measured.
        batch_size: Texts per step.
        micro_batch_size: Texts per forward pass and process.
        characters: Longest text, in tokens of the tiny model.
        processes: GPUs.
        batching: How batches are made.
        gradient_checkpointing: Compute activations again instead of keeping them.
        lora_rank: Train an adapter of this rank instead of all parameters.
        json: Where to write the figures.
    """
    if not torch.cuda.is_available():
        raise SystemExit("This needs a GPU: torch finds none.")
    settings = TrainerSettings(
        batch_size=batch_size,
        micro_batch_size=micro_batch_size,
        dtype="bfloat16",
        save_every=10**6,
        batching=batching,
        gradient_checkpointing=gradient_checkpointing,
        processes=processes,
        lora=LoraSettings(rank=lora_rank),
    )
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), shape, settings, steps, characters)
    Console().print_json(data=figures)
    save(json, figures)


def measure(
    folder: Path, shape: Shape, settings: TrainerSettings, steps: int, characters: int
) -> dict[str, object]:
    heads, values = SHAPES[shape][0] // 128, {"vocabulary": 32_000, "max_position_embeddings": 4096}
    grouped = {"num_attention_heads": heads, "num_key_value_heads": 8 if heads >= 8 else heads}
    start = write_random_llama(folder / "start", shape, **values, **grouped)
    times: list[tuple[float, int]] = []

    def watch(line: TrainingProgress) -> None:
        times.append((time.perf_counter(), line.train_tokens))

    outcome = finetune(
        start,
        _examples(steps * settings.batch_size, characters),
        settings,
        planned_steps=steps,
        seed=0,
        iteration=1,
        output=folder / "checkpoint",
        work=folder / "work",
        progress=watch,
    )
    seconds, tokens = times[-1][0] - times[4][0], sum(count for _, count in times[5:])
    model = model_shape(start)
    flops = compute.training_flops(model.parameters, tokens, outcome.adapter_parameters)
    flops += compute.attention_flops(model, outcome.attention_pairs * tokens // outcome.train_tokens)
    peak = peak_flops()
    return {
        "card": torch.cuda.get_device_name(),
        "date": time.strftime("%Y-%m-%d"),
        "torch": torch.__version__,
        "parameters": model.parameters,
        "settings": settings.model_dump(mode="json"),
        "tokens_per_second": tokens / seconds,
        "padding_share": 1 - outcome.train_tokens / outcome.padded_train_tokens,
        "peak_tflops_measured": peak / 1e12,
        "flops_utilisation": flops / seconds / peak / settings.processes,
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if settings.processes == 1 else None,
        "memory_left_gib": torch.cuda.memory_reserved() / 2**30,
    }


def _examples(count: int, longest: int) -> list[TrainingExample]:
    """Return texts of a third of ``longest`` to all of it, which leaves padding about a third."""
    lengths = [longest // 3 + (place * 7919) % (2 * longest // 3) for place in range(count)]
    return [
        TrainingExample("1+2=", "3" * (length - 5), f"text {place}") for place, length in enumerate(lengths)
    ]


if __name__ == "__main__":
    run(main, __doc__)
