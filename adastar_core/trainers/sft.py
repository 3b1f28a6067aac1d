"""Supervised fine-tuning on accepted rationales, on transformers' ``Trainer``.

The loss covers completions and EOS only. Every random choice comes from a named stream and training resumes
from restart points, so the same inputs give the same weights, byte for byte on one machine's CPU, however often the
process was killed. Weights stay in float32, also where the arithmetic is bfloat16: small updates would be rounded
away otherwise, more so over iterations that each start from the last one's checkpoint.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from adastar_core import checkpoints
from adastar_core.compute import training_pairs
from adastar_core.config import TrainerSettings
from adastar_core.errors import HomeError, ModelError
from adastar_core.quiet import no_progress_bars
from adastar_core.streams import stream_key
from adastar_core.trainers import TrainingExample, TrainingOutcome
from adastar_core.trainers.loop import Report, train
from adastar_core.trainers.restart import WorkDirectory
from adastar_core.trainers.rows import plan_training, tokenize

if TYPE_CHECKING:
    from peft import PeftModel


def finetune(
    start: Path,
    examples: Sequence[TrainingExample],
    settings: TrainerSettings,
    *,
    planned_steps: int,
    seed: int,
    iteration: int,
    output: Path,
    work: Path,
    progress: Report = lambda _: None,
) -> TrainingOutcome:
    """Fine-tune ``start`` on ``examples`` and publish the result as the checkpoint ``output``.

    Killed and called again with the same arguments it goes on from its last restart point; called after it
    has finished it returns the same outcome at once.

    Args:
        start: The model directory to start from: weights, configuration and tokenizer.
        examples: D+, in a stable order.
        settings: How to train. ``save_every`` changes no result.
        planned_steps: sigma_t, used where ``settings.on_exhausted`` is ``repeat``.
        seed: The run's seed.
        iteration: t, from 1; names the random streams together with the seed.
        output: Where the checkpoint is to lie; also a sibling ``.<name>.partial`` is used.
        work: A directory of this training's own, for restart points.
        progress: Called after each step.

    Raises:
        NothingAccepted: There are no examples.
        DataError: An example has no token to train, or too many.
        HomeError: The disk has no room for the checkpoint and its restart points.
        ModelError: The model or its tokenizer cannot be trained on.
        StageError: The loss or the gradient is not finite.
        CheckpointError: Another checkpoint lies at ``output``.
    """
    directory = WorkDirectory(work, _inputs(start, examples, settings, planned_steps, seed, iteration))
    directory.open()
    tokenizer = AutoTokenizer.from_pretrained(start, local_files_only=True, trust_remote_code=False)
    rows = tokenize(examples, tokenizer, min(settings.max_length, _positions(start)))
    plan = plan_training(rows, settings, planned_steps, seed, iteration)
    totals = directory.totals()
    if totals is None or not checkpoints.is_complete(output):
        with no_progress_bars():
            model = _load(start)
            _check_space(work, model.num_parameters(), restarts=plan.steps > settings.save_every)
            torch_seed = stream_key(seed, "dropout", iteration) % 2**32
            adapted = _adapted(model, settings, seed, iteration)
            totals = train(adapted or model, plan, settings, torch_seed, directory, progress)
            directory.finish(totals)
            _publish(model, adapted, tokenizer, start, output)
    directory.clean()
    return TrainingOutcome(
        checkpoints.open_checkpoint(output),
        totals.loss,
        totals.token_accuracy,
        plan.steps,
        sum(plan.train_tokens()),
        plan.padded_train_tokens(),
        training_pairs(len(row.tokens) for row in plan.rows),
        totals.seconds,
        _adapter_parameters(output, settings),
    )


def _inputs(
    start: Path,
    examples: Sequence[TrainingExample],
    settings: TrainerSettings,
    planned_steps: int,
    seed: int,
    iteration: int,
) -> str:
    """Return the digest of everything that decides the weights."""
    texts = [[example.prompt, example.completion] for example in examples]
    decisive = settings.model_dump(mode="json", exclude={"save_every", "start_from"})
    values = [checkpoints.digest_of(start), texts, decisive, planned_steps, seed, iteration]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _positions(start: Path) -> int:
    """Return the longest text that the model's position embeddings allow."""
    config = AutoConfig.from_pretrained(
        start, local_files_only=True, trust_remote_code=False
    ).get_text_config()
    return getattr(config, "max_position_embeddings", None) or sys.maxsize


def _load(start: Path) -> PreTrainedModel:
    """Return the model with all of its weights: one that the files lack would be trained from random numbers."""
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


def _adapted(
    model: PreTrainedModel, settings: TrainerSettings, seed: int, iteration: int
) -> "PeftModel | None":
    """Return the model with a new adapter where LoRA is on."""
    if settings.lora.rank is None:
        return None
    from adastar_core.trainers.lora import adapt

    return adapt(model, settings.lora, stream_key(seed, "adapter", iteration) % 2**32)


def _adapter_parameters(checkpoint: Path, settings: TrainerSettings) -> int:
    if settings.lora.rank is None:
        return 0
    from adastar_core.trainers.lora import adapter_parameters

    return adapter_parameters(checkpoint)


def _check_space(work: Path, parameters: int, *, restarts: bool) -> None:
    """Refuse to start what the disk cannot hold: the weights, and two restart points with Adam's two moments."""
    needed_bytes = 4 * parameters * (1 + (2 * 3 if restarts else 0))
    free_bytes = shutil.disk_usage(work).free
    if free_bytes < needed_bytes:
        raise HomeError(
            f"{work} has {free_bytes / 1e9:.4f} GB free, and training needs {needed_bytes / 1e9:.4f} GB for the "
            "checkpoint and its restart points; free some space or choose another data directory (home)"
        )


def _publish(
    model: PreTrainedModel,
    adapted: "PeftModel | None",
    tokenizer: PreTrainedTokenizerBase,
    start: Path,
    output: Path,
) -> None:
    """Save weights, configuration and tokenizer under a temporary name, then publish them.

    An adapter is merged into the weights and kept beside them. The tokenizer's files are those of ``start``, byte for
    byte: saving it would add how it was loaded.

    Of the generation defaults only the token ids are kept: decoding is always explicit, and a checkpoint whose
    sampling defaults contradict each other could not be saved.
    """
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    if adapted is not None:
        from adastar_core.trainers.lora import ADAPTER, merge, save_adapter

        save_adapter(adapted, partial / ADAPTER)
        model = merge(adapted)
    kept = ("bos_token_id", "eos_token_id", "pad_token_id")
    defaults = model.generation_config
    model.generation_config = GenerationConfig.from_dict({name: getattr(defaults, name) for name in kept})
    model.save_pretrained(partial)
    for saved in map(Path, tokenizer.save_pretrained(partial)):
        if (start / saved.name).is_file():
            shutil.copyfile(start / saved.name, saved)
    checkpoints.publish(partial, output)
