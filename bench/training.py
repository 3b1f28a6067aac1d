"""Compare the trainer with a bare training loop and with TRL, and the ways to make batches.

By default three contenders train on the same batches of the same model, in turns: a bare PyTorch loop, this project's
trainer, and TRL's ``SFTTrainer``, set-up included::

    OMP_NUM_THREADS=1 python bench/training.py --json training.json

With ``--texts FILE.jsonl`` (fields question and answer, such as GSM8K's) it compares padded, packed and length-grouped
batches of texts of such lengths, in tokens of a tokenizer trained on them, on a random Llama.
"""

import copy
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from common import in_turns, run, save, show
from datasets import Dataset
from random_llama import random_llama
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
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
from adastar_core.models.source import resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings, parse_question
from adastar_core.records import Split
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.batches import IGNORED, collate
from adastar_core.trainers.loop import Randomness, Training
from adastar_core.trainers.optimizer import Schedule
from adastar_core.trainers.restart import WorkDirectory
from adastar_core.trainers.rows import TrainingPlan, TrainingRow, plan_training, tokenize

Contender = Callable[[PreTrainedModel, TrainingPlan, TrainerSettings, Path], float]
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


def main(
    *,
    model: str = "tiny-adder",
    steps: int = 40,
    rounds: int = 3,
    batch_size: int = 32,
    texts: Path | None = None,
    json: Path | None = None,
) -> None:
    """Measure, print a table, and write it as JSON where asked to.

    Args:
        model: Packaged name, directory or hub name.
        steps: Optimizer steps of one pass.
        rounds: Passes of each trainer.
        batch_size: Rows per step.
        texts: JSON lines with question and answer; compare batching instead.
        json: Where to write the figures.
    """
    torch.set_num_threads(1)
    settings = TrainerSettings(learning_rate=3e-4, batch_size=batch_size, save_every=10**6)
    if texts:
        title = f"{texts.name}: {steps} steps of {batch_size} texts, 1 thread"
        timings: list[Timing] | list[BatchingTiming] = _measure_batching(texts, settings, steps, rounds)
    else:
        directory = resolve_model(model)
        plan = _plan(steps, settings, Vocabulary(directory))
        tokens = sum(plan.train_tokens()) // plan.steps
        title = f"{steps} steps of {batch_size} rows, {tokens:,} tokens a step, 1 thread"
        timings = _measure(directory, plan, settings, rounds)
    show(title, timings)
    save(json, timings)


def _plan(steps: int, settings: TrainerSettings, vocabulary: Vocabulary) -> TrainingPlan:
    problem = Arithmetic(ArithmeticSettings(train=steps * settings.batch_size))
    examples = [
        TrainingExample(
            problem.training_prompt(row), parse_question(row.question).rationale, row.observation_id
        )
        for row in problem.load(Split.TRAIN)
    ]
    rows = tokenize(examples, vocabulary, settings.max_length)
    return plan_training(rows, settings, steps, seed=0, iteration=1)


def _measure(directory: Path, plan: TrainingPlan, settings: TrainerSettings, rounds: int) -> list[Timing]:
    trl = partial(_trl, AutoTokenizer.from_pretrained(directory))
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    contenders: dict[str, Contender] = {"bare loop": _bare, "this project": _ours, "TRL": trl}
    passes = {name: _pass(contender, model, plan, settings) for name, contender in contenders.items()}
    found = in_turns(passes, rounds)
    step = 1e3 / plan.steps
    return [
        Timing(
            trainer=name,
            wall_ms=turns.wall * step,
            processor_ms=turns.processor * step,
            fastest_processor_ms=turns.least_processor * step,
            ratio_to_bare=turns.processor / found["bare loop"].processor,
            last_loss=turns.result,
        )
        for name, turns in found.items()
    ]


def _pass(
    contender: Contender, model: PreTrainedModel, plan: TrainingPlan, settings: TrainerSettings
) -> Callable[[], float]:
    """Return one pass of a trainer over the plan, from the model's own weights; it returns the last loss."""

    def train() -> float:
        with tempfile.TemporaryDirectory() as directory:
            return contender(copy.deepcopy(model), plan, settings, Path(directory))

    return train


def _bare(model: PreTrainedModel, plan: TrainingPlan, settings: TrainerSettings, _directory: Path) -> float:
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


def _ours(model: PreTrainedModel, plan: TrainingPlan, settings: TrainerSettings, directory: Path) -> float:
    losses: list[float] = []
    training = Training(model, plan, settings, Schedule(0, plan.steps), Randomness(0, 1))
    training.run(WorkDirectory(directory, "0" * 64), lambda line: losses.append(line.loss))
    return losses[-1]


def _trl(
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    plan: TrainingPlan,
    settings: TrainerSettings,
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
    labels = ([IGNORED] * row.prompt_tokens + list(row.tokens[row.prompt_tokens :]) for row in plan.rows)
    return Dataset.from_list(
        [
            {"input_ids": list(row.tokens), "labels": label}
            for row, label in zip(plan.rows, labels, strict=True)
        ]
    )


def _measure_batching(
    texts: Path, settings: TrainerSettings, steps: int, rounds: int
) -> list[BatchingTiming]:
    rows = _rows_of(texts)
    plans = {}
    for way in ("padded", "packed", "length_grouped"):
        whole = plan_training(rows, settings.model_copy(update={"batching": way}), 1, seed=0, iteration=1)
        plans[way] = replace(whole, rows=whole.rows[: steps * whole.batch_size])
    model = random_llama("word", _VOCABULARY)
    found = in_turns({way: _pass(_ours, model, plan, settings) for way, plan in plans.items()}, rounds)
    speeds = {way: sum(plan.train_tokens()) / found[way].processor for way, plan in plans.items()}
    return [
        BatchingTiming(
            batching=way,
            tokens=sum(plan.train_tokens()) // plan.steps,
            padding_share=1 - sum(plan.train_tokens()) / plan.padded_train_tokens(),
            processor_ms=found[way].processor / plan.steps * 1e3,
            speed_over_padded=speeds[way] / speeds["padded"],
            last_loss=found[way].result,
        )
        for way, plan in plans.items()
    ]


def _rows_of(path: Path) -> list[TrainingRow]:
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
        rows.append(TrainingRow((*prompt, *completion, 0), len(prompt)))
    return rows


if __name__ == "__main__":
    run(main, __doc__)
