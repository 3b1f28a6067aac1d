"""Supervised fine-tuning on accepted rationales.

The loss covers completions and EOS only. Every random choice comes from a named stream and training resumes from restart
points, so on one machine's CPU the same inputs give the same weights, byte for byte, however often the process was killed.
Weights stay in float32 even where the arithmetic is bfloat16, which would round small updates away in every iteration.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from adastar_core.compute import training_pairs
from adastar_core.machine.quiet import no_progress_bars
from adastar_core.models import checkpoints
from adastar_core.models.checkpoints import Fence
from adastar_core.trainers import TrainingExample, TrainingOutcome
from adastar_core.trainers.job import Job, Launcher, run
from adastar_core.trainers.loop import OnProgress
from adastar_core.trainers.optimizer import Schedule
from adastar_core.trainers.restart import Finished
from adastar_core.trainers.rows import TrainingPlan
from adastar_core.trainers.settings import TrainerSettings
from adastar_core.trainers.world import ALONE, PUBLISHER


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
    schedule: Schedule | None = None,
    progress: OnProgress = lambda _: None,
    launcher: Launcher | None = None,
    owner: int = 0,
    fence: Fence = nullcontext,
) -> TrainingOutcome:
    """Fine-tune ``start`` on ``examples`` and publish the result as the checkpoint ``output``.

    Called again with the same arguments it resumes from its last restart point, or returns the finished outcome.

    Args:
        start: The model directory to start from: weights, configuration and tokenizer.
        examples: D+, in a stable order.
        settings: How to train. ``save_every`` and ``timeout_seconds`` change no result.
        planned_steps: sigma_t, used where ``settings.on_exhausted`` is ``repeat``.
        seed: The run's seed.
        iteration: t, from 1; names the random streams together with the seed.
        output: The checkpoint's directory; ``<name>-<digest>`` beside it where that holds other files.
        work: A directory for restart points that no other training uses.
        schedule: Where the steps are in the learning rate's schedule; by default they are all of it.
        progress: Called after each step.
        launcher: Starts the training processes elsewhere; by default on this machine, if there are several.
        owner: The fencing number of the run's owner, which names files while they are written.
        fence: Entered for the moment of publishing, as in :func:`adastar_core.models.checkpoints.publish`.

    Raises:
        NothingAccepted: There are no examples.
        DataError: An example has no token to train, or too many.
        HomeError: The disk has no room for the checkpoint and its restart points.
        ModelError: The model or its tokenizer cannot be trained on.
        StageError: The loss or the gradient is not finite, or one of several processes has ended or hangs.
        LostLease: The fence does not let this process publish.
    """
    job = Job(
        start, tuple(examples), settings, planned_steps, schedule, seed, iteration, output, work, owner
    )  # fmt: skip
    directory = job.directory
    directory.open()
    plan = job.plan()
    finished = directory.finished()
    if finished is None or not checkpoints.holds(output.with_name(finished.name), finished.sha256):
        finished = _train(job, plan, launcher, progress, fence)
    directory.clean()
    checkpoint, adapter = checkpoints.open_checkpoint(output.with_name(finished.name)), 0
    if settings.lora.rank is not None:
        from adastar_core.trainers.lora import adapter_parameters

        adapter = adapter_parameters(checkpoint.path)
    return TrainingOutcome(
        checkpoint,
        finished.totals.loss,
        finished.totals.token_accuracy,
        plan.steps,
        sum(plan.train_tokens()),
        plan.padded_train_tokens(),
        training_pairs(len(row.tokens) for row in plan.rows),
        finished.totals.seconds,
        adapter,
    )


def _train(
    job: Job, plan: TrainingPlan, launcher: Launcher | None, progress: OnProgress, fence: Fence
) -> Finished:
    if launcher is None and job.settings.processes > 1:
        from adastar_core.trainers.launch import launch

        launcher = launch
    with no_progress_bars():
        if launcher is None:
            finished = run(job, plan, job.directory, progress, ALONE, fence)
        else:
            # The processes hold shards and leave a restart point; this one puts it together and publishes it.
            launcher(job, job.directory, plan.steps, progress)
            finished = run(job, plan, job.directory, progress, PUBLISHER, fence)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the next generator needs the GPU's memory
    return finished
