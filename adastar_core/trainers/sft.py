"""Supervised fine-tuning on accepted rationales.

The loss covers completions and EOS only. Every random choice comes from a named stream and training resumes
from restart points, so the same inputs give the same weights, byte for byte on one machine's CPU, however often the
process was killed. Weights stay in float32, also where the arithmetic is bfloat16: small updates would be rounded
away otherwise, more so over iterations that each start from the last one's checkpoint.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from adastar_core.compute import training_pairs
from adastar_core.machine.quiet import no_progress_bars
from adastar_core.models import checkpoints
from adastar_core.models.checkpoints import Fence
from adastar_core.trainers import TrainingExample, TrainingOutcome
from adastar_core.trainers.job import Job, release_memory, run
from adastar_core.trainers.launch import Launcher, launch
from adastar_core.trainers.loop import Report
from adastar_core.trainers.optimizer import Schedule
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
    progress: Report = lambda _: None,
    launcher: Launcher | None = None,
    owner: int = 0,
    fence: Fence = nullcontext,
) -> TrainingOutcome:
    """Fine-tune ``start`` on ``examples`` and publish the result as the checkpoint ``output``.

    Killed and called again with the same arguments it goes on from its last restart point; called after it
    has finished it returns the same outcome at once.

    Args:
        start: The model directory to start from: weights, configuration and tokenizer.
        examples: D+, in a stable order.
        settings: How to train. ``save_every`` and ``timeout_seconds`` change no result.
        planned_steps: sigma_t, used where ``settings.on_exhausted`` is ``repeat``.
        seed: The run's seed.
        iteration: t, from 1; names the random streams together with the seed.
        output: Where the checkpoint is to lie; ``<name>-<digest>`` beside it where other files lie there. Siblings
            ``.<name>.partial-…`` are used.
        work: A directory of this training's own, for restart points.
        schedule: Where the steps lie in the learning rate's schedule; they are the whole of it by default.
        progress: Called after each step.
        launcher: Trains in other processes than this machine's; by default several train here, and one is this one.
        owner: The fencing number of whoever trains, which names what is being written.
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
        with no_progress_bars():
            elsewhere = launcher or (launch if settings.processes > 1 else None)
            if elsewhere:
                elsewhere(job, directory, plan.steps, progress)
            run(job, plan, directory, progress, PUBLISHER if elsewhere else ALONE, fence)
        release_memory()
        finished = directory.finished()
    assert finished is not None, "a training that has run has an outcome"
    directory.clean()
    checkpoint = checkpoints.open_checkpoint(output.with_name(finished.name))
    return TrainingOutcome(
        checkpoint,
        finished.totals.loss,
        finished.totals.token_accuracy,
        plan.steps,
        sum(plan.train_tokens()),
        plan.padded_train_tokens(),
        training_pairs(len(row.tokens) for row in plan.rows),
        finished.totals.seconds,
        _adapter_parameters(checkpoint.path, settings),
    )


def _adapter_parameters(checkpoint: Path, settings: TrainerSettings) -> int:
    if settings.lora.rank is None:
        return 0
    from adastar_core.trainers.lora import adapter_parameters

    return adapter_parameters(checkpoint)
