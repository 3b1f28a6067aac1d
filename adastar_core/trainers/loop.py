"""The training loop: transformers' ``Trainer`` with the loss, the schedule and the restart points of this project."""

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from typing_extensions import override

from adastar_core.config import TrainerSettings
from adastar_core.errors import StageError
from adastar_core.trainers import TrainingProgress
from adastar_core.trainers.restart import TrainingTotals, WorkDirectory
from adastar_core.trainers.rows import Row, TrainingPlan

if TYPE_CHECKING:
    from peft import PeftModel

IGNORED = -100
Report = Callable[[TrainingProgress], None]


def train(
    model: "PreTrainedModel | PeftModel",
    plan: TrainingPlan,
    settings: TrainerSettings,
    torch_seed: int,
    directory: WorkDirectory,
    report: Report,
) -> TrainingTotals:
    """Train ``model`` in place through ``plan``, from the last restart point on if there is one.

    Raises:
        StageError: The loss or the gradient of a step is not finite.
    """
    use_cache = getattr(model.config, "use_cache", True)
    trainer = _Trainer(model, plan, settings, _arguments(plan, settings, torch_seed, directory.scratch))
    trainer.add_callback(_Watch(plan, trainer.completion_loss, directory, report))
    restart = directory.latest()
    trainer.train(resume_from_checkpoint=str(restart) if restart else None)
    model.config.use_cache = use_cache  # training turns it off, and it would be saved
    return _totals(trainer.state, plan)


def learning_rate_factor(step: int, steps: int, settings: TrainerSettings) -> float:
    """Return the share of the peak learning rate that step ``step`` (from 0) of ``steps`` uses.

    Warm-up starts at ``1 / warmup_steps``, not at 0: the first batch of an iteration trains too. A warm-up
    longer than the iteration never reaches the peak, as in the paper's first iterations.
    """
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    share_done = (step - settings.warmup_steps) / max(steps - settings.warmup_steps, 1)
    match settings.decay:
        case "linear":
            return 1 - share_done
        case "cosine":
            return (1 + math.cos(math.pi * share_done)) / 2
        case _:
            return 1.0


class HasLogits(Protocol):
    """A causal language model's output: ``logits`` of shape (rows, length, vocabulary)."""

    logits: torch.Tensor


class CompletionLoss:
    """Cross-entropy of the trained tokens; counts those that the model ranked first."""

    def __init__(self) -> None:
        self._correct = torch.zeros((), dtype=torch.int64)

    def __call__(
        self, outputs: HasLogits, labels: torch.Tensor, num_items_in_batch: torch.Tensor
    ) -> torch.Tensor:
        """Return the micro-batch's share of the step's mean loss.

        Args:
            outputs: The model's.
            labels: Token ids of shape (rows, length), -100 where nothing is trained.
            num_items_in_batch: Trained tokens of the whole step.
        """
        targets = labels[:, 1:]
        trained = targets != IGNORED
        logits, targets = outputs.logits[:, :-1][trained].float(), targets[trained]
        self._correct = self._correct.to(logits.device) + (logits.argmax(dim=-1) == targets).sum()
        return torch.nn.functional.cross_entropy(logits, targets, reduction="sum") / num_items_in_batch

    def take_correct(self) -> int:
        """Return the tokens ranked first since the last call."""
        correct, self._correct = int(self._correct), torch.zeros_like(self._correct)
        return correct


class _Trainer(Trainer):
    """transformers' trainer on the schedule of :func:`learning_rate_factor`."""

    def __init__(
        self,
        model: "PreTrainedModel | PeftModel",
        plan: TrainingPlan,
        settings: TrainerSettings,
        arguments: TrainingArguments,
    ) -> None:
        self._settings, self._steps = settings, plan.steps
        self.completion_loss = CompletionLoss()
        padding = model.config.get_text_config().pad_token_id or 0
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=plan.rows,
            data_collator=lambda rows: collate(rows, padding),
            compute_loss_func=self.completion_loss,
        )
        self.remove_callback(PrinterCallback)

    @override
    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Return the schedule, from step 0."""
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer or self.create_optimizer(),
            lambda step: learning_rate_factor(step, self._steps, self._settings),
        )
        return self.lr_scheduler


class _Watch(TrainerCallback):
    """Reports steps, stops at a loss that is not finite, and completes restart points.

    It adds ``correct`` and ``seconds`` to each step's line of ``state.log_history``, which restart points
    keep, so that a resumed training can sum up all of its steps.
    """

    def __init__(
        self, plan: TrainingPlan, loss: CompletionLoss, directory: WorkDirectory, report: Report
    ) -> None:
        self._tokens, self._loss = plan.train_tokens(), loss
        self._directory, self._report = directory, report
        self._clock = 0.0

    @override
    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        self._clock = time.perf_counter()

    @override
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        if state.global_step >= state.max_steps:
            control.should_save = False  # the checkpoint follows at once

    @override
    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        line = state.log_history[-1]
        if "loss" not in line:  # the summary at the end
            return
        if not (math.isfinite(line["loss"]) and math.isfinite(line["grad_norm"])):
            raise StageError(
                f"training diverged at step {state.global_step} of {state.max_steps}: loss {line['loss']}, "
                f"gradient norm {line['grad_norm']}; lower trainer.learning_rate or lengthen trainer.warmup_steps"
            )
        line |= {"correct": self._loss.take_correct(), "seconds": time.perf_counter() - self._clock}
        tokens = self._tokens[state.global_step - 1]
        self._report(TrainingProgress(state.global_step, state.max_steps, line["loss"], tokens))

    @override
    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object
    ) -> None:
        self._directory.keep(self._directory.scratch / f"checkpoint-{state.global_step}", state.global_step)


def collate(rows: Sequence[Row], padding: int) -> dict[str, torch.Tensor]:
    """Return a micro-batch padded on the right: ids, attention mask and labels, each of shape (rows, longest)."""
    shape = (len(rows), max(len(row.tokens) for row in rows))
    ids, mask = torch.full(shape, padding), torch.zeros(shape, dtype=torch.int64)
    labels = torch.full(shape, IGNORED)
    for place, row in enumerate(rows):
        tokens = torch.tensor(row.tokens)
        ids[place, : len(tokens)] = tokens
        mask[place, : len(tokens)] = 1
        labels[place, row.prompt_tokens : len(tokens)] = tokens[row.prompt_tokens :]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def _arguments(
    plan: TrainingPlan, settings: TrainerSettings, torch_seed: int, scratch: Path
) -> TrainingArguments:
    gpu = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=plan.micro_batch_size,
        gradient_accumulation_steps=plan.batch_size // plan.micro_batch_size,
        max_steps=plan.steps,
        train_sampling_strategy="sequential",  # the plan is already in order
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=settings.dtype == "bfloat16" or (settings.dtype == "auto" and gpu),
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
        seed=torch_seed,
        save_strategy="steps",
        save_steps=settings.save_every,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to="none",
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # more would split and so change the batches
    return arguments


def _totals(state: TrainerState, plan: TrainingPlan) -> TrainingTotals:
    lines = [line for line in state.log_history if "loss" in line]
    weights = plan.trained_tokens()
    return TrainingTotals(
        loss=sum(line["loss"] * weight for line, weight in zip(lines, weights, strict=True)) / sum(weights),
        token_accuracy=sum(line["correct"] for line in lines) / sum(weights),
        seconds=sum(line["seconds"] for line in lines),
    )
