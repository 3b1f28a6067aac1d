"""Measure training tokens per second, memory and FLOPs utilization on one GPU or several, for a Llama with random weights.

Utilization is the model's FLOPs (``4 P + 6 A`` or ``6 P`` per token, and attention's) over the card's peak, as measured
with a large bfloat16 matrix product. Run it on a machine with GPUs:

    python bench/gpu/training.py --processes 1 --batching packed --json training-gpu.json
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from adastar_core import compute
from adastar_core.config import LoraSettings, TrainerSettings
from adastar_core.models.source import model_shape, resolve_model
from adastar_core.trainers import TrainingExample, TrainingProgress
from adastar_core.trainers.sft import finetune

SHAPES = {"3b": (3072, 28, 8192), "1b": (2048, 16, 8192), "92m": (768, 12, 2304)}


def main() -> None:
    """Measure, print and write the figures."""
    options = _options()
    if not torch.cuda.is_available():
        raise SystemExit("This needs a GPU: torch finds none.")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options)
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, default="3b", help="size of the model")
    parser.add_argument(
        "--steps", type=int, default=20, help="optimizer steps; the first five are not measured"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="texts per step")
    parser.add_argument("--micro-batch-size", type=int, default=8, help="texts per forward pass and process")
    parser.add_argument(
        "--characters", type=int, default=500, help="longest text, in tokens of the tiny model"
    )
    parser.add_argument("--processes", type=int, default=1, help="GPUs")
    parser.add_argument("--batching", choices=("padded", "packed", "length_grouped"), default="packed")
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument(
        "--lora-rank", type=int, help="train an adapter of this rank instead of all parameters"
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


def measure(folder: Path, options: argparse.Namespace) -> dict[str, object]:
    """Return every figure by name."""
    start = _write_model(folder / "start", *SHAPES[options.shape])
    settings = TrainerSettings(
        batch_size=options.batch_size,
        micro_batch_size=options.micro_batch_size,
        dtype="bfloat16",
        save_every=10**6,
        batching=options.batching,
        gradient_checkpointing=options.gradient_checkpointing,
        processes=options.processes,
        lora=LoraSettings(rank=options.lora_rank),
    )
    times: list[tuple[float, int]] = []

    def watch(line: TrainingProgress) -> None:
        times.append((time.perf_counter(), line.train_tokens))

    outcome = finetune(
        start,
        _examples(options.steps * options.batch_size, options.characters),
        settings,
        planned_steps=options.steps,
        seed=0,
        iteration=1,
        output=folder / "checkpoint",
        work=folder / "work",
        progress=watch,
    )
    seconds, tokens = times[-1][0] - times[4][0], sum(count for _, count in times[5:])
    shape = model_shape(start)
    flops = compute.training_flops(shape.parameters, tokens, outcome.adapter_parameters)
    flops += compute.attention_flops(shape, outcome.attention_pairs * tokens // outcome.train_tokens)
    peak = peak_flops()
    return {
        "card": torch.cuda.get_device_name(),
        "date": time.strftime("%Y-%m-%d"),
        "torch": torch.__version__,
        "parameters": shape.parameters,
        "settings": settings.model_dump(mode="json"),
        "tokens_per_second": tokens / seconds,
        "padding_share": 1 - outcome.train_tokens / outcome.padded_train_tokens,
        "peak_tflops_measured": peak / 1e12,
        "flops_utilisation": flops / seconds / peak / options.processes,
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if options.processes == 1 else None,
        "memory_left_gib": torch.cuda.memory_reserved() / 2**30,
    }


def peak_flops() -> float:
    """Return the FLOPs per second of a large bfloat16 matrix product."""
    size, rounds = 8192, 20
    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    for count in (3, rounds):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(count):
            left @ right
        torch.cuda.synchronize()
    return 2 * size**3 * rounds / (time.perf_counter() - began)


def _write_model(directory: Path, hidden: int, layers: int, intermediate: int) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(resolve_model("tiny-adder"))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32_000, hidden_size=hidden, intermediate_size=intermediate, num_hidden_layers=layers,
        num_attention_heads=hidden // 128, num_key_value_heads=8 if hidden >= 1024 else hidden // 128,
        max_position_embeddings=4096, tie_word_embeddings=True, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def _examples(count: int, longest: int) -> list[TrainingExample]:
    """Return texts of a third of ``longest`` to all of it, which leaves padding about a third."""
    lengths = [longest // 3 + (place * 7919) % (2 * longest // 3) for place in range(count)]
    return [
        TrainingExample("1+2=", "3" * (length - 5), f"text {place}") for place, length in enumerate(lengths)
    ]


if __name__ == "__main__":
    main()
