"""Training on one device: speed, utilization and memory against the forecast, and sharded trainings' losses against a plain one's."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from ceilings import GIB, Ceilings, known_card, peak_gib, start_peak
from one_card import launch
from safetensors import safe_open

from adastar_core import compute
from adastar_core.config import LoraSettings, TrainerSettings
from adastar_core.models.source import model_shape, text_config
from adastar_core.planning.cards import Load
from adastar_core.planning.footprint import training_memory
from adastar_core.streams import rng
from adastar_core.trainers import TrainingExample, TrainingOutcome, TrainingProgress
from adastar_core.trainers.job import Job, Launcher, open_training
from adastar_core.trainers.lora import trained_parameters
from adastar_core.trainers.restart import WorkDirectory
from adastar_core.trainers.sft import finetune

_WARM_UP = 3
"""Steps before the clock starts: the first takes memory, and kernels are chosen."""


@dataclass(frozen=True)
class TrainingSpeed:
    """Optimizer steps without loading and publishing. Utilization: model FLOPs over the measured peak."""

    trained: str
    tokens_per_second: float
    padding_share: float
    flops_utilization: float
    ms_per_step: float
    seconds_over_forecast: float | None
    peak_gib: float | None
    forecast_gib: float
    first_loss: float
    last_loss: float


@dataclass(frozen=True)
class Sharding:
    """A training whose weights are sharded over processes, against one that is not sharded.

    Differences are the largest of any step's loss, relative to it, and of any weight of the checkpoints.
    """

    dtype: str
    processes: int
    last_loss: float
    loss_difference: float
    weight_difference: float


def trainer_settings(batch_size: int, micro_batch_size: int, *, lora: bool) -> TrainerSettings:
    return TrainerSettings(
        batch_size=batch_size,
        micro_batch_size=micro_batch_size,
        dtype="bfloat16",
        batching="packed",
        lora=LoraSettings(rank=16 if lora else None),
    )


def speed(
    directory: Path, settings: TrainerSettings, steps: int, longest: int, ceilings: Ceilings, work: Path
) -> TrainingSpeed:
    """Train ``steps`` steps on texts of up to ``longest`` tokens, in ``settings.processes`` processes."""
    examples = examples_of(directory, steps * settings.batch_size, longest)
    job = Job(directory, tuple(examples), settings, steps, None, 0, 1, work / "tuned", work / "work")
    lines: list[tuple[float, TrainingProgress]] = []

    def report(line: TrainingProgress) -> None:
        lines.append((time.perf_counter(), line))

    start_peak()
    if settings.processes == 1:
        job.work.mkdir(parents=True)
        open_training(job, job.plan()).run(WorkDirectory(job.work, "speed"), report)
    else:
        _finetune(job, report)
    plan, shape, card = job.plan(), model_shape(directory), known_card()
    took, tokens = lines[-1][0] - lines[_WARM_UP - 1][0], sum(plan.train_tokens()[_WARM_UP:])
    adapter = trained_parameters(directory, settings) if settings.lora.rank else 0
    rows = [row for step in range(_WARM_UP, steps) for row in plan.batch(step)]
    flops = compute.training_flops(shape.parameters, tokens, adapter)
    attention = compute.attention_flops(shape, compute.training_pairs(len(row.tokens) for row in rows))
    return TrainingSpeed(
        trained="all" if settings.lora.rank is None else f"LoRA, rank {settings.lora.rank}",
        tokens_per_second=tokens / took,
        padding_share=1 - sum(plan.train_tokens()) / plan.padded_train_tokens(),
        flops_utilization=(flops + attention) / took / ceilings.tflops / 1e12 / settings.processes,
        ms_per_step=took / (steps - _WARM_UP) * 1e3,
        seconds_over_forecast=took / Load(flops, 0).seconds(card, settings.processes) if card else None,
        peak_gib=peak_gib() if settings.processes == 1 else None,
        forecast_gib=training_memory(directory, settings, longest).total / GIB,
        first_loss=lines[0][1].loss,
        last_loss=lines[-1][1].loss,
    )


def examples_of(directory: Path, count: int, longest: int) -> list[TrainingExample]:
    """Return texts of random tokens, a third of ``longest`` to all of it, which leaves padding about a third."""
    random, known = rng(0, "texts"), text_config(directory).vocab_size
    lengths = [longest - (place * 7919) % (2 * longest // 3) for place in range(count)]
    return [
        TrainingExample("1+2=", "-", f"text {place}", tuple(random.integers(0, known, length - 8).tolist()))
        for place, length in enumerate(lengths)
    ]


def shardings(directory: Path, steps: int, longest: int, work: Path) -> Iterator[Sharding]:
    """Yield a sharded training at a time: in one process, and in one per GPU (on a CPU in two)."""
    examples = examples_of(directory, 8 * steps, longest)
    several = torch.cuda.device_count() if torch.cuda.is_available() else 2
    for dtype in ("float32", "bfloat16"):
        plain, losses = _losses(directory, examples, dtype, 1, work / dtype)
        for processes in sorted({1, several}):
            folder, alone = work / f"{dtype}-{processes}", launch if processes == 1 else None
            made, sharded = _losses(directory, examples, dtype, processes, folder, alone)
            furthest = max(abs(one - other) / one for one, other in zip(losses, sharded, strict=True))
            difference = _weight_difference(plain.checkpoint.path, made.checkpoint.path)
            yield Sharding(dtype, processes, sharded[-1], furthest, difference)


def _losses(
    directory: Path,
    examples: list[TrainingExample],
    dtype: str,
    processes: int,
    work: Path,
    launcher: Launcher | None = None,
) -> tuple[TrainingOutcome, list[float]]:
    settings = TrainerSettings(batch_size=8, dtype=dtype, processes=processes, learning_rate=1e-4)
    job = Job(directory, tuple(examples), settings, 1, None, 0, 1, work / "tuned", work / "work")
    losses: list[float] = []
    outcome = _finetune(job, lambda line: losses.append(line.loss), launcher)
    return outcome, losses


def _finetune(
    job: Job, progress: Callable[[TrainingProgress], None], launcher: Launcher | None = None
) -> TrainingOutcome:
    return finetune(
        job.start,
        job.examples,
        job.settings,
        planned_steps=job.planned_steps,
        seed=job.seed,
        iteration=job.iteration,
        output=job.output,
        work=job.work,
        progress=progress,
        launcher=launcher,
    )


def _weight_difference(left: Path, right: Path) -> float:
    file = "model.safetensors"
    with safe_open(left / file, "pt") as one, safe_open(right / file, "pt") as other:
        gaps = [(one.get_tensor(name) - other.get_tensor(name)).abs().max() for name in one.keys()]  # noqa: SIM118 (not a mapping)
    return float(max(gaps))


def published(directory: Path, settings: TrainerSettings, longest: int, work: Path) -> None:
    """Train and publish as a run does, whose memory must be free again afterwards."""
    examples = examples_of(directory, settings.batch_size, longest)
    _finetune(
        Job(directory, tuple(examples), settings, 1, None, 0, 1, work / "tuned", work / "work"),
        lambda _: None,
    )
