"""The training loop, the same for one process and for many that each hold a shard of the model (FSDP2)."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from transformers import PreTrainedModel

from adastar_core.errors import StageError
from adastar_core.machine.memory import memory_errors
from adastar_core.models.attention import changing_lengths
from adastar_core.streams import stream_key
from adastar_core.trainers import TrainingProgress, optimizer
from adastar_core.trainers.batches import IGNORED, collate, collate_packed
from adastar_core.trainers.restart import TrainingTotals, WorkDirectory
from adastar_core.trainers.rows import TrainingPlan, TrainingRow
from adastar_core.trainers.settings import TrainerSettings
from adastar_core.trainers.world import ALONE, World, whole

if TYPE_CHECKING:
    from peft import PeftModel

OnProgress = Callable[[TrainingProgress], None]
_LOG = "log.json"


@dataclass(frozen=True, slots=True)
class Randomness:
    """Names a training's random streams, of which dropout is the only one."""

    seed: int
    iteration: int

    def seed_step(self, step: int, world: World) -> None:
        """Seed torch for one step of this process. So a restart point needs no random state."""
        torch.manual_seed(stream_key(self.seed, "dropout", self.iteration, step, world.rank) % 2**32)


@dataclass(frozen=True, slots=True)
class Step:
    """A finished step: mean loss of its trained tokens, how many were ranked first, seconds."""

    loss: float
    correct: int
    seconds: float


class Training:
    """A model in training, in place; ``moments`` is AdamW's state of an earlier training to continue."""

    def __init__(
        self,
        model: "PreTrainedModel | PeftModel",
        plan: TrainingPlan,
        settings: TrainerSettings,
        schedule: optimizer.Schedule,
        randomness: Randomness,
        world: World = ALONE,
        moments: Path | None = None,
    ) -> None:
        self.model, self.plan, self.settings = model, plan, settings
        self._schedule, self._randomness, self._world = schedule, randomness, world
        self._padding = model.config.get_text_config().pad_token_id or 0
        # The order matters: sharding wraps what is recomputed, and the optimizer must hold the sharded parameters.
        if settings.gradient_checkpointing:
            # Computes activations again in the backward pass instead of keeping them (Chen et al. 2016).
            # The older name warns in newer releases; older ones lack the newer name.
            newer = getattr(model, "activation_checkpointing_enable", None)
            (newer or model.gradient_checkpointing_enable)({"use_reentrant": False})
        world.place(model, getattr(model, "_no_split_modules", None) or ())
        self.optimizer = optimizer.adamw(model, settings)
        self._done: list[Step] = []
        if moments is not None:
            optimizer.load_state(moments, model, self.optimizer)

    def run(self, directory: WorkDirectory, report: OnProgress, *, keep_last: bool = False) -> TrainingTotals:
        """Train to the end, from the last restart point if there is one; ``keep_last`` leaves one of the last step.

        Raises:
            StageError: The loss or the gradient of a step is not finite.
            OutOfMemory: A step does not fit into memory.
        """
        restart = directory.latest()
        if restart is not None:
            optimizer.load_state(restart / optimizer.STATE, self.model, self.optimizer)
            self._done = [Step(**line) for line in json.loads((restart / _LOG).read_text())]
        self.model.train()
        with torch.random.fork_rng():
            for step in range(len(self._done), self.plan.steps):
                with memory_errors(self._advice):
                    self._done.append(self._step(step))
                if self._world.writes:
                    tokens = sum(len(row.tokens) for row in self.plan.batch(step))
                    rate = float(self.optimizer.param_groups[0]["lr"])  # one for all groups
                    loss, seconds = self._done[step].loss, self._done[step].seconds
                    report(TrainingProgress(step + 1, self.plan.steps, loss, tokens, rate, seconds))
                done, last = step + 1, step + 1 == self.plan.steps
                if keep_last if last else done % self.settings.save_every == 0:
                    self._save(directory, done)
        # Steps weigh by their trained tokens, so that the means are those over all tokens.
        weights = self.plan.trained_tokens()
        losses = (step.loss * weight for step, weight in zip(self._done, weights, strict=True))
        return TrainingTotals(
            loss=sum(losses) / sum(weights),
            token_accuracy=sum(step.correct for step in self._done) / sum(weights),
            seconds=sum(step.seconds for step in self._done),
        )

    @changing_lengths()
    def _step(self, step: int) -> Step:
        began = time.perf_counter()
        self._randomness.seed_step(step, self._world)
        place = self._schedule.before + step
        factor = optimizer.learning_rate_factor(place, self._schedule.steps, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * factor
        # Every micro-batch's loss is a sum divided by the whole step's tokens: gradients then add up to those of the mean
        # over the step, however unevenly its tokens fall on micro-batches and processes.
        trained_tokens = torch.tensor(sum(row.trained_tokens for row in self.plan.batch(step)))
        mean = torch.zeros((), device=self._world.device)
        correct = torch.zeros((), dtype=torch.int64, device=self._world.device)
        for rows in self.plan.micro_batches(step, self._world.rank):
            loss, right = self._loss(rows, trained_tokens.to(self._world.device))
            scaled = loss * self._world.size  # FSDP2 divides summed gradients by the number of processes
            scaled.backward()  # type: ignore[no-untyped-call]
            mean, correct = mean + loss.detach(), correct + right
        norm = clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        # One exchange between processes, and one wait for the GPU, per step.
        sums = self._world.sum(torch.stack((mean.double(), correct.double()))).tolist()
        gradient = float(whole(norm))
        if not (math.isfinite(sums[0]) and math.isfinite(gradient)):
            raise StageError(
                f"training diverged in step {step + 1} of {self.plan.steps}: loss {sums[0]}, gradient norm "
                f"{gradient}; lower trainer.learning_rate or lengthen trainer.warmup_steps"
            )
        return Step(sums[0], round(sums[1]), time.perf_counter() - began)

    def _loss(
        self, rows: Sequence[TrainingRow], trained_tokens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a micro-batch's share of the step's mean loss, and how many tokens the model ranked first.

        ``trained_tokens`` are those of the whole step, over all processes.
        """
        arrange = collate_packed if self.plan.packed else collate
        inputs = {name: part.to(self._world.device) for name, part in arrange(rows, self._padding).items()}
        labels = inputs.pop("labels")
        device, bf16 = self._world.device, self.settings.dtype == "bfloat16"
        # Autocast computes products in bfloat16 and keeps the weights in float32; a small update survives there.
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            logits = self.model(**inputs, use_cache=False).logits
        targets = labels[:, 1:]  # the scores at a token are those of the next one
        trained = targets != IGNORED
        # Prompts are left out before the copy to float32, the largest tensor where the vocabulary is large.
        logits, targets = logits[:, :-1][trained].float(), targets[trained]
        correct = (logits.argmax(dim=-1) == targets).sum()
        return cross_entropy(logits, targets, reduction="sum") / trained_tokens, correct

    def _advice(self, reason: str) -> str:
        settings = self.settings
        return (
            f"Memory ran out in step {len(self._done) + 1} of {self.plan.steps} of training ({reason}). Lower "
            f"trainer.micro_batch_size (now {settings.micro_batch_size or settings.batch_size}), set "
            "trainer.gradient_checkpointing: true, or train a low-rank update (trainer.lora.rank); on a GPU, see what else "
            "uses its memory. The same command resumes from the last restart point."
        )

    def _save(self, directory: WorkDirectory, done: int) -> None:
        written = directory.scratch / f"step-{done}"
        # Every process takes part, since each weight is gathered from all of them; one writes.
        optimizer.save_state(written / optimizer.STATE, self.model, self.optimizer, self._world, weights=True)
        if self._world.writes:
            (written / _LOG).write_text(json.dumps([asdict(line) for line in self._done]))
            directory.keep(written, done)
