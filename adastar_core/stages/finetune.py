"""Fine-tune on the iteration's accepted rationales and publish the checkpoint."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adastar_core.compute import StageTokens
from adastar_core.models import checkpoints
from adastar_core.monitors import STEPS
from adastar_core.progress import Counts
from adastar_core.runs.workspace import Workspace
from adastar_core.stages.costs import record_cost, record_models
from adastar_core.stages.manifests import FinetuneManifest
from adastar_core.store.checkpoints import CheckpointRow, TrainingFacts, find_checkpoint, write_checkpoint
from adastar_core.store.examples import read_training_examples
from adastar_core.trainers import TrainingExample, TrainingOutcome, TrainingProgress

if TYPE_CHECKING:
    from adastar_core.trainers.job import Launcher
    from adastar_core.trainers.optimizer import Schedule


def finetune(workspace: Workspace, iteration: int) -> FinetuneManifest:
    """Train on D+, from the previous checkpoint or from the base model, and record the result.

    D+ is read back from the store, so what is trained is what was recorded. A training that was killed resumes from its
    last restart point; one that is recorded already is not repeated.
    """
    return find_finetune(workspace, iteration) or _manifest(_train(workspace, iteration))


def find_finetune(workspace: Workspace, iteration: int) -> FinetuneManifest | None:
    """Return the manifest of an iteration's recorded checkpoint; ``None`` if there is none."""
    recorded = workspace.read(find_checkpoint, iteration, workspace.folder)
    return _manifest(recorded) if recorded else None


def _manifest(recorded: CheckpointRow) -> FinetuneManifest:
    assert recorded.training is not None, "an iteration's checkpoint was trained"
    return FinetuneManifest(
        iteration=recorded.iteration,
        checkpoint_sha256=recorded.sha256,
        steps=recorded.training.steps,
        examples=recorded.training.examples,
    )


def _train(workspace: Workspace, iteration: int) -> CheckpointRow:
    # Imported here: torch is not needed to read a recorded checkpoint.
    from adastar_core.trainers import sft

    started, config = time.monotonic(), workspace.config
    examples, steps = read_examples(workspace, iteration), _Steps(workspace, iteration)
    start = _start(workspace, iteration)
    outcome = sft.finetune(
        Path(start.path),
        examples,
        config.trainer,
        planned_steps=config.steps(iteration),
        seed=config.seed,
        iteration=iteration,
        output=workspace.folder / "checkpoints" / f"iteration-{iteration:04d}",
        work=workspace.folder / "work" / f"finetune-{iteration:04d}",
        schedule=_schedule(workspace, iteration),
        progress=steps,
        launcher=_launcher(workspace),
        owner=workspace.lease.epoch,
        fence=workspace.lease.transaction,
    )
    row = CheckpointRow(
        iteration=iteration,
        parent_iteration=start.iteration,
        path=str(outcome.checkpoint.path),
        sha256=outcome.checkpoint.sha256,
        bytes=outcome.checkpoint.size_bytes,
        parameters=workspace.parameters,
        training=TrainingFacts(outcome.steps, len(examples), outcome.loss, outcome.token_accuracy),
    )
    workspace.share(row)  # first: what the database names, every machine finds
    _record(workspace, row, outcome, time.monotonic() - started - steps.seconds)
    return workspace.checkpoint(iteration)


def _start(workspace: Workspace, iteration: int) -> CheckpointRow:
    """Return the checkpoint that an iteration's training starts from, here and as recorded; free memory for it."""
    parent = iteration - 1 if workspace.config.trainer.start_from == "accumulate" else 0
    start = workspace.fetched(workspace.checkpoint(parent), workspace.at_work)
    checkpoints.verify(Path(start.path), start.sha256)
    workspace.generators.rest()
    return start


def _launcher(workspace: Workspace) -> "Launcher | None":
    if workspace.config.compute.backend != "ray":
        return None
    from adastar_core.cluster.training import launch_on

    return launch_on(workspace.config.compute)


class _Steps:
    """Shows the steps of a training, and counts the seconds of those that this process did or waited for."""

    def __init__(self, workspace: Workspace, iteration: int) -> None:
        self._workspace, self._iteration = workspace, iteration
        self._stage, self._before = (
            workspace.itinerary.finetune(iteration),
            _steps_before(workspace, iteration),
        )
        self.seconds = 0.0
        workspace.progress.enter(self._stage)

    def __call__(self, step: TrainingProgress) -> None:
        workspace = self._workspace
        # Only the training knows how many steps it has, and where it resumes.
        workspace.progress.enter(replace(self._stage, goal=step.steps), Counts(step.step - 1))
        workspace.progress.add(1, tokens=step.train_tokens, loss=step.loss, learning_rate=step.learning_rate)
        workspace.monitors.log(STEPS, self._before + step.step, _numbers(step, self._iteration))
        workspace.at_work()
        self.seconds += step.seconds


def _record(workspace: Workspace, row: CheckpointRow, outcome: TrainingOutcome, around: float) -> None:
    """Record a checkpoint and its costs; ``around`` are the seconds of loading, saving and sharing models."""
    tokens = StageTokens(
        train_tokens=outcome.train_tokens,
        padded_train_tokens=outcome.padded_train_tokens,
        attention_pairs=outcome.attention_pairs,
    )
    adapter = outcome.adapter_parameters
    with workspace.lease.transaction() as connection:
        write_checkpoint(connection, workspace.run_id, row, workspace.folder)
        # The steps of processes that were killed count too.
        record_cost(connection, workspace, row.iteration, "finetune", tokens, outcome.seconds, adapter)
        record_models(connection, workspace, row.iteration, around)


def _schedule(workspace: Workspace, iteration: int) -> "Schedule | None":
    """Return where the iteration's steps lie in a schedule across the run; ``None`` if each iteration has its own."""
    from adastar_core.trainers.optimizer import Schedule

    if workspace.config.trainer.schedule_scope == "iteration":
        return None
    return Schedule(_steps_before(workspace, iteration), workspace.config.schedule_steps())


def _steps_before(workspace: Workspace, iteration: int) -> int:
    """Return the steps of all earlier iterations."""
    done = [workspace.checkpoint(earlier).training for earlier in range(1, iteration)]
    return sum(facts.steps for facts in done if facts)


def _numbers(step: TrainingProgress, iteration: int) -> dict[str, float]:
    """Return what monitors get of a step."""
    return {
        "train/loss": step.loss,
        "train/learning_rate": step.learning_rate,
        "train/tokens_per_second": step.train_tokens / max(step.seconds, 1e-9),
        "train/iteration": iteration,
    }


def read_examples(workspace: Workspace, iteration: int) -> list[TrainingExample]:
    """Return D+ of an iteration as training texts, in the order of visit.

    What the model generated is trained as the ids that it generated. The data's own answers, what a server gave without
    ids, and rollouts that older versions stored have text alone; it is tokenised.
    """
    examples, chat = [], workspace.config.prompt.chat
    for row in workspace.read(read_training_examples, iteration):
        observation = workspace.train[row.position]
        completed = workspace.vocabulary.completed(row.response, row.tokens, chat=chat)
        name = f"{observation.observation_id}, attempt {row.attempt}"
        prompt = workspace.problem.training_prompt(observation)
        examples.append(TrainingExample(prompt, row.response, name, completed))
    return examples
