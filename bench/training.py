"""What the trainer adds to a bare training loop, per optimizer step, measured side by side.

Three ways through the same batches of the same model, taking turns: a bare PyTorch loop, this project's
trainer, and TRL's ``SFTTrainer``. Set-up is included: the garbage collection that starts a ``Trainer`` costs a few tenths
of a second whatever the length of the training. Run it with ``OMP_NUM_THREADS=1 python bench/training.py --json training.json``.
"""

import argparse
import copy
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from datasets import Dataset
from rich.console import Console
from rich.table import Table
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from adastar_core.config import TrainerSettings
from adastar_core.model_source import resolve_model
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings, parse_question
from adastar_core.records import Split
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.loop import IGNORED, collate, train
from adastar_core.trainers.restart import WorkDirectory
from adastar_core.trainers.rows import TrainingPlan, plan_training, tokenize

Contender = Callable[[PreTrainedModel, TrainingPlan, TrainerSettings, PreTrainedTokenizerBase, Path], float]


@dataclass(frozen=True)
class Timing:
    """Milliseconds per optimizer step over a whole pass, set-up included: medians of all rounds.

    The ratio compares processor time, which other work on the machine disturbs less than wall time.
    """

    trainer: str
    wall_ms: float
    processor_ms: float
    fastest_processor_ms: float
    ratio_to_bare: float
    last_loss: float


def main() -> None:
    """Measure, print a table, and write it as JSON where asked to."""
    options = _options()
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(resolve_model(options.model))
    model = AutoModelForCausalLM.from_pretrained(resolve_model(options.model), dtype=torch.float32)
    settings = TrainerSettings(learning_rate=3e-4, batch_size=options.batch_size, save_every=10**6)
    plan = _plan(options.steps, settings, tokenizer)
    timings = _measure(model, plan, settings, tokenizer, options.rounds)
    Console().print(_table(timings, plan))
    if options.json:
        options.json.write_text(json.dumps([asdict(timing) for timing in timings], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny-adder", help="packaged name, directory or hub name")
    parser.add_argument("--steps", type=int, default=40, help="optimizer steps of one pass")
    parser.add_argument("--rounds", type=int, default=3, help="passes of each trainer")
    parser.add_argument("--batch-size", type=int, default=32, help="rows per step")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


def _plan(steps: int, settings: TrainerSettings, tokenizer: PreTrainedTokenizerBase) -> TrainingPlan:
    problem = Arithmetic(ArithmeticSettings(train=steps * settings.batch_size))
    examples = [
        TrainingExample(
            problem.training_prompt(one), parse_question(one.question).rationale, one.observation_id
        )
        for one in problem.load(Split.TRAIN)
    ]
    return plan_training(
        tokenize(examples, tokenizer, settings.max_length), settings, steps, seed=0, iteration=1
    )


def _measure(
    model: PreTrainedModel,
    plan: TrainingPlan,
    settings: TrainerSettings,
    tokenizer: PreTrainedTokenizerBase,
    rounds: int,
) -> list[Timing]:
    contenders: dict[str, Contender] = {
        "bare loop": _bare,
        "this project": _ours,
        "TRL": _trl,
    }
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    processor: dict[str, list[float]] = {name: [] for name in contenders}
    losses = dict.fromkeys(contenders, 0.0)
    for _ in range(rounds):
        for name, contender in contenders.items():
            fresh = copy.deepcopy(model)
            with tempfile.TemporaryDirectory() as directory:
                began, began_processor = time.perf_counter(), time.process_time()
                losses[name] = contender(fresh, plan, settings, tokenizer, Path(directory))
                processor[name].append((time.process_time() - began_processor) / plan.steps * 1e3)
                wall[name].append((time.perf_counter() - began) / plan.steps * 1e3)
    bare = statistics.median(processor["bare loop"])
    return [
        Timing(
            trainer=name,
            wall_ms=statistics.median(wall[name]),
            processor_ms=statistics.median(taken),
            fastest_processor_ms=min(taken),
            ratio_to_bare=statistics.median(taken) / bare,
            last_loss=losses[name],
        )
        for name, taken in processor.items()
    ]


def _bare(
    model: PreTrainedModel,
    plan: TrainingPlan,
    settings: TrainerSettings,
    _tokenizer: PreTrainedTokenizerBase,
    _directory: Path,
) -> float:
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    model.train()
    for rows in plan.batches():
        loss = model(**collate(rows, padding=0)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.item())


def _ours(
    model: PreTrainedModel,
    plan: TrainingPlan,
    settings: TrainerSettings,
    _tokenizer: PreTrainedTokenizerBase,
    directory: Path,
) -> float:
    losses: list[float] = []
    train(model, plan, settings, 0, WorkDirectory(directory, "0" * 64), lambda line: losses.append(line.loss))
    return losses[-1]


def _trl(
    model: PreTrainedModel,
    plan: TrainingPlan,
    settings: TrainerSettings,
    tokenizer: PreTrainedTokenizerBase,
    directory: Path,
) -> float:
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(directory),
            per_device_train_batch_size=settings.batch_size,
            max_steps=plan.steps,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_grad_norm,
            lr_scheduler_type="constant",
            optim="adamw_torch_fused",
            train_sampling_strategy="sequential",
            dataset_kwargs={"skip_prepare_dataset": True},
            max_length=None,
            bf16=False,
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=_dataset(plan),
        processing_class=tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return float([line["loss"] for line in trainer.state.log_history if "loss" in line][-1])


def _dataset(plan: TrainingPlan) -> Dataset:
    return Dataset.from_list(
        [
            {
                "input_ids": list(row.tokens),
                "labels": [IGNORED] * row.prompt_tokens + list(row.tokens[row.prompt_tokens :]),
            }
            for row in plan.rows
        ]
    )


def _table(timings: list[Timing], plan: TrainingPlan) -> Table:
    rows, tokens = len(plan.batches()[0]), sum(plan.train_tokens()) // plan.steps
    table = Table(title=f"{plan.steps} steps of {rows} rows, {tokens:,} tokens a step, 1 thread")
    for heading in ("trainer", "wall ms a step", "processor ms", "fastest", "ratio", "last loss"):
        table.add_column(heading, justify="left" if heading == "trainer" else "right")
    for one in timings:
        figures = (one.wall_ms, one.processor_ms, one.fastest_processor_ms)
        table.add_row(
            one.trainer,
            *(f"{figure:.1f}" for figure in figures),
            f"{one.ratio_to_bare:.3f}",
            f"{one.last_loss:.4f}",
        )
    return table


if __name__ == "__main__":
    main()
