"""One training as data, so that other processes can do it too, and its steps: load, train, publish."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from adastar_core.errors import HomeError, ModelError
from adastar_core.models import canary, checkpoints
from adastar_core.models.checkpoints import Fence
from adastar_core.models.formats import in_format
from adastar_core.models.source import positions_of
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.streams import stream_key
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.apart import require_apart
from adastar_core.trainers.batches import collate, collate_packed
from adastar_core.trainers.loop import OnProgress, Randomness, Training
from adastar_core.trainers.optimizer import STATE, Schedule, save_state
from adastar_core.trainers.restart import Finished, WorkDirectory, remove_up_to
from adastar_core.trainers.rows import TrainingPlan, plan_training, tokenize
from adastar_core.trainers.settings import TrainerSettings
from adastar_core.trainers.world import ALONE, World

if TYPE_CHECKING:
    from peft import PeftModel

MOMENTS = "optimizer"


@dataclass(frozen=True, slots=True)
class Job:
    """A training: everything that decides its result, and its directories. See ``sft.finetune`` for the fields."""

    start: Path
    examples: tuple[TrainingExample, ...]
    settings: TrainerSettings
    planned_steps: int
    schedule: Schedule | None
    seed: int
    iteration: int
    output: Path
    work: Path
    owner: int = 0

    @property
    def directory(self) -> WorkDirectory:
        return WorkDirectory(self.work, self.inputs(), self.owner)

    def inputs(self) -> str:
        """Return the digest of everything that decides the weights."""
        texts = [[example.prompt, example.completion, *example.tokens] for example in self.examples]
        idle = {"max_length", "save_every", "start_from", "timeout_seconds"}
        decisive = self.settings.model_dump(mode="json", exclude=idle)
        schedule = asdict(self.schedule) if self.schedule else None
        values = [checkpoints.digest_of(self.start), texts, decisive, self.planned_steps, schedule]
        text = json.dumps([*values, self.seed, self.iteration], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def plan(self) -> TrainingPlan:
        """Return every batch; a DataError if an example cannot be trained on."""
        longest = min(self.settings.max_length, positions_of(self.start) or sys.maxsize)
        rows = tokenize(self.examples, Vocabulary.of(self.start), longest)
        return plan_training(rows, self.settings, self.planned_steps, self.seed, self.iteration)

    def to_json(self) -> str:
        values = asdict(self) | {"settings": self.settings.model_dump(mode="json")}
        return json.dumps(values, default=str)

    @classmethod
    def from_json(cls, text: str) -> "Job":
        values = json.loads(text)
        for name in ("start", "output", "work"):
            values[name] = Path(values[name])
        for example in values["examples"]:
            example["tokens"] = tuple(example["tokens"])
        values["examples"] = tuple(TrainingExample(**example) for example in values["examples"])
        values["settings"] = TrainerSettings.model_validate(values["settings"])
        values["schedule"] = Schedule(**values["schedule"]) if values["schedule"] else None
        return cls(**values)


Launcher = Callable[[Job, WorkDirectory, int, OnProgress], None]
"""Trains in other processes up to a step, reports each step, and leaves a restart point of the last."""


def open_training(job: Job, plan: TrainingPlan, world: World = ALONE) -> Training:
    """Load the model and make it ready to train.

    Raises:
        HomeError: The disk has no room for the checkpoint and its restart points.
        ModelError: The model cannot be trained on, or not as configured.
    """
    settings = in_format(job.settings, job.start, on_gpu=world.device.type == "cuda")
    model = load(job.start)
    if plan.micro_batch_size > 1:
        require_apart(model, collate_packed if plan.packed else collate)
    if world.writes:
        restarts = plan.steps > settings.save_every or world is not ALONE
        _check_space(job.work, model.num_parameters(), restarts=restarts)
    moments = job.start / MOMENTS / STATE
    trained: PreTrainedModel | PeftModel = model
    if settings.lora.rank is not None:
        from adastar_core.trainers.lora import adapt

        trained = adapt(model, settings.lora, stream_key(job.seed, "adapter", job.iteration) % 2**32)
    return Training(
        trained,
        plan,
        settings,
        job.schedule or Schedule(0, plan.steps),
        Randomness(job.seed, job.iteration),
        world,
        moments if settings.optimizer_state == "keep" and moments.is_file() else None,
    )


def run(
    job: Job, plan: TrainingPlan, directory: WorkDirectory, report: OnProgress, world: World, fence: Fence
) -> Finished:
    """Train in this process from the last restart point, and publish the checkpoint inside the fence.

    After other processes have trained, that restart point is of the last step and ``world`` is ``PUBLISHER``.
    """
    training = open_training(job, plan, world)
    totals = training.run(directory, report)
    return directory.finish(totals, _publish(training, job, fence))


def load(start: Path) -> PreTrainedModel:
    """Return the model with all of its weights: one that the files lack would be trained from random numbers.

    Raises:
        ModelError: It cannot be loaded, or lacks weights.
    """
    try:
        loaded: object = AutoModelForCausalLM.from_pretrained(
            start,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"model: {start} cannot be loaded for training ({error}); copy its files again"
        ) from error
    model, loading = cast(tuple[PreTrainedModel, dict[str, set[str]]], loaded)
    if missing := sorted(loading["missing_keys"]):
        raise ModelError(f"model: {start} lacks the weights {', '.join(missing[:3])}; copy its files again")
    return model


def _check_space(work: Path, parameters: int, *, restarts: bool) -> None:
    """Refuse to start what the disk cannot hold: the weights, and two restart points with Adam's two moments."""
    needed_bytes = 4 * parameters * (1 + (2 * 3 if restarts else 0))
    free_bytes = shutil.disk_usage(work).free
    if free_bytes < needed_bytes:
        raise HomeError(
            f"{work} has {free_bytes / 1e9:.4f} GB free, and training needs {needed_bytes / 1e9:.4f} GB for the "
            "checkpoint and its restart points; free some space or choose another data directory (home)"
        )


def _publish(training: Training, job: Job, fence: Fence) -> checkpoints.Checkpoint:
    """Save weights, configuration and tokenizer under a temporary name, then publish them inside the fence.

    An adapter is merged into the weights and kept beside them, as are AdamW's moments where the next iteration
    continues them. What is on disk must then be what was trained. The tokenizer's files are the start's, byte
    for byte: saving it would add how it was loaded.

    Of the generation defaults only the token ids are kept: decoding is always explicit, and a checkpoint whose
    sampling defaults contradict each other could not be saved.
    """
    written = job.output.with_name(f".{job.output.name}.partial-{job.owner:06d}")  # no other owner's
    remove_up_to(written)
    if job.settings.optimizer_state == "keep":
        save_state(written / MOMENTS / STATE, training.model, training.optimizer, ALONE, weights=False)
    if isinstance(training.model, PreTrainedModel):
        _save(training.model, written, job)
    else:
        from adastar_core.trainers import lora

        trained = lora.Trained.of(training.model)
        lora.save_adapter(training.model, written / lora.ADAPTER)
        merged = lora.merge_adapter(training.model)
        _save(merged, written, job)
        torch.nn.Module.to(merged, "meta")  # two models need not fit into memory
        trained.require(load(written))
    return checkpoints.publish_beside(written, job.output, fence)


def _save(model: PreTrainedModel, folder: Path, job: Job) -> None:
    kept = ("bos_token_id", "eos_token_id", "pad_token_id")
    defaults = model.generation_config
    model.generation_config = GenerationConfig.from_dict({name: getattr(defaults, name) for name in kept})
    model.save_pretrained(folder)
    for saved in Vocabulary.of(job.start).save(folder):
        if (job.start / saved.name).is_file():
            shutil.copyfile(job.start / saved.name, saved)
    canary.record(canary.canary_of(model), folder)
