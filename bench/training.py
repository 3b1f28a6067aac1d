"""Compare the trainer with a bare training loop and with TRL, and the ways to make batches.

By default three contenders train on the same batches of the same model, in turns: a bare PyTorch loop, this project's
trainer, and TRL's ``SFTTrainer``, set-up included::

    OMP_NUM_THREADS=1 python bench/training.py --json training.json

With ``--texts FILE.jsonl`` (fields question and answer, such as GSM8K's) it compares padded, packed and length-grouped
batches of texts of such lengths, in tokens of a tokenizer trained on them, on a random Llama.
"""

import argparse
import copy
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from datasets import Dataset
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from adastar_core.config import TrainerSettings
from adastar_core.models.source import resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings, parse_question
from adastar_core.records import Split
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.batches import IGNORED, collate
from adastar_core.trainers.loop import Randomness, Training
from adastar_core.trainers.optimizer import Schedule
from adastar_core.trainers.restart import WorkDirectory
from adastar_core.trainers.rows import Row, TrainingPlan, plan_training, tokenize

Contender = Callable[[PreTrainedModel, TrainingPlan, TrainerSettings, PreTrainedTokenizerBase, Path], float]
_VOCABULARY = 8192


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


@dataclass(frozen=True)
class BatchingTiming:
    """A way to make batches: tokens and padding of a step, and its time; medians of all rounds."""

    batching: str
    tokens: int
    padding_share: float
    processor_ms: float
    speed_over_padded: float
    last_loss: float


def main() -> None:
    """Measure, print a table, and write it as JSON where asked to."""
    options = _options()
    torch.set_num_threads(1)
    if options.texts:
        found = _measure_batching(options)
        Console().print(_batching_table(found, options))
        _write(options.json, found)
        return
    tokenizer = AutoTokenizer.from_pretrained(resolve_model(options.model))
    model = AutoModelForCausalLM.from_pretrained(resolve_model(options.model), dtype=torch.float32)
    settings = TrainerSettings(learning_rate=3e-4, batch_size=options.batch_size, save_every=10**6)
    plan = _plan(options.steps, settings, Vocabulary(resolve_model(options.model)))
    timings = _measure(model, plan, settings, tokenizer, options.rounds)
    Console().print(_table(timings, plan))
    _write(options.json, timings)


def _write(path: Path | None, timings: Sequence[Timing | BatchingTiming]) -> None:
    if path:
        path.write_text(json.dumps([asdict(timing) for timing in timings], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny-adder", help="packaged name, directory or hub name")
    parser.add_argument("--steps", type=int, default=40, help="optimizer steps of one pass")
    parser.add_argument("--rounds", type=int, default=3, help="passes of each trainer")
    parser.add_argument("--batch-size", type=int, default=32, help="rows per step")
    parser.add_argument(
        "--texts", type=Path, help="JSON lines with question and answer: compare batching instead"
    )
    parser.add_argument("--json", type=Path, help="where to write the figures")
    return parser.parse_args()


def _plan(steps: int, settings: TrainerSettings, vocabulary: Vocabulary) -> TrainingPlan:
    problem = Arithmetic(ArithmeticSettings(train=steps * settings.batch_size))
    examples = [
        TrainingExample(
            problem.training_prompt(one), parse_question(one.question).rationale, one.observation_id
        )
        for one in problem.load(Split.TRAIN)
    ]
    return plan_training(
        tokenize(examples, vocabulary, settings.max_length), settings, steps, seed=0, iteration=1
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
    for rows in map(plan.batch, range(plan.steps)):
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
    _tokenizer: PreTrainedTokenizerBase | None,
    directory: Path,
) -> float:
    losses: list[float] = []
    training = Training(model, plan, settings, Schedule(0, plan.steps), Randomness(0, 1))
    training.run(WorkDirectory(directory, "0" * 64), lambda line: losses.append(line.loss))
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
    rows, tokens = len(plan.batch(0)), sum(plan.train_tokens()) // plan.steps
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


def _measure_batching(options: argparse.Namespace) -> list[BatchingTiming]:
    rows = _rows_of(options.texts)
    settings = TrainerSettings(learning_rate=3e-4, batch_size=options.batch_size, save_every=10**6)
    ways = ("padded", "packed", "length_grouped")
    plans = {
        way: _first_steps(
            plan_training(rows, settings.model_copy(update={"batching": way}), 1, seed=0, iteration=1),
            options.steps,
        )
        for way in ways
    }
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=_VOCABULARY, hidden_size=256, intermediate_size=768, num_hidden_layers=4,
            num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=2048, tie_word_embeddings=True,
        )
    )  # fmt: skip
    taken: dict[str, list[float]] = {way: [] for way in ways}
    losses = dict.fromkeys(ways, 0.0)
    for _ in range(options.rounds):
        for way, plan in plans.items():
            with tempfile.TemporaryDirectory() as directory:
                fresh, began = copy.deepcopy(model), time.process_time()
                losses[way] = _ours(fresh, plan, settings, None, Path(directory))
                taken[way].append((time.process_time() - began) / sum(plan.train_tokens()))
    padded = statistics.median(taken["padded"])
    return [
        BatchingTiming(
            batching=way,
            tokens=sum(plan.train_tokens()) // plan.steps,
            padding_share=1 - sum(plan.train_tokens()) / plan.padded_train_tokens(),
            processor_ms=statistics.median(taken[way]) * sum(plan.train_tokens()) / plan.steps * 1e3,
            speed_over_padded=padded / statistics.median(taken[way]),
            last_loss=losses[way],
        )
        for way, plan in plans.items()
    ]


def _rows_of(path: Path) -> list[Row]:
    """Return the rows of all texts in tokens of a byte-pair tokenizer trained on them."""
    texts = [json.loads(line) for line in path.read_text().splitlines()]
    pairs = [(f"Q: {text['question']}\nA: ", text["answer"]) for text in texts]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=_VOCABULARY, special_tokens=["<eos>"], show_progress=False)
    tokenizer.train_from_iterator((part for pair in pairs for part in pair), trainer)
    rows = []
    for question, answer in pairs:
        prompt, completion = tokenizer.encode(question).ids, tokenizer.encode(answer).ids
        rows.append(Row((*prompt, *completion, 0), len(prompt)))
    return rows


def _first_steps(plan: TrainingPlan, steps: int) -> TrainingPlan:
    return replace(plan, rows=plan.rows[: steps * plan.batch_size])


def _batching_table(found: list[BatchingTiming], options: argparse.Namespace) -> Table:
    table = Table(
        title=f"{options.texts.name}: {options.steps} steps of {options.batch_size} texts, 1 thread"
    )
    for heading in (
        "batching",
        "tokens a step",
        "padding",
        "processor ms a step",
        "tokens/s over padded",
        "last loss",
    ):
        table.add_column(heading, justify="left" if heading == "batching" else "right")
    for one in found:
        table.add_row(
            one.batching,
            f"{one.tokens:,}",
            f"{one.padding_share:.0%}",
            f"{one.processor_ms:.0f}",
            f"{one.speed_over_padded:.2f}",
            f"{one.last_loss:.4f}",
        )
    return table


if __name__ == "__main__":
    main()
