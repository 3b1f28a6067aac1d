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
from adastar_core.stages.costs import record_cost
from adastar_core.stages.manifests import FinetuneManifest
from adastar_core.store.checkpoints import CheckpointRow, TrainingFacts, find_checkpoint, write_checkpoint
from adastar_core.store.examples import read_training_examples
from adastar_core.trainers import TrainingExample, TrainingProgress

if TYPE_CHECKING:
    from adastar_core.trainers.optimizer import Schedule


def finetune(workspace: Workspace, iteration: int) -> FinetuneManifest:
    """Train on D+, from the previous checkpoint or from the base model, and record the result.

    D+ is read back from the store, so what is trained is what was recorded. A training that was killed resumes from its
    last restart point; one that is recorded already is not repeated.
    """
    return find_finetune(workspace, iteration) or _manifest(_train(workspace, iteration))


def find_finetune(workspace: Workspace, iteration: int) -> FinetuneManifest | None:
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

    examples, config = read_examples(workspace, iteration), workspace.config
    started, steps, launcher = time.monotonic(), config.steps(iteration), None
    before = _steps_before(workspace, iteration)
    if config.compute.backend == "ray":
        from adastar_core.cluster.training import launch_on

        launcher = launch_on(config.compute)
    parent = iteration - 1 if config.trainer.start_from == "accumulate" else 0
    start = workspace.checkpoint(parent)
    checkpoints.verify(Path(start.path), start.sha256)
    workspace.generators.rest()  # training needs its memory
    stage = workspace.itinerary.finetune(iteration)
    workspace.progress.enter(stage)

    def on_step(step: TrainingProgress) -> None:
        # Only the training knows how many steps it has, and where it resumes.
        workspace.progress.enter(replace(stage, goal=step.steps), Counts(step.step - 1))
        workspace.progress.add(1, tokens=step.train_tokens, loss=step.loss, learning_rate=step.learning_rate)
        workspace.monitors.log(STEPS, before + step.step, _numbers(step, iteration))
        workspace.at_work()

    outcome = sft.finetune(
        Path(start.path),
        examples,
        config.trainer,
        planned_steps=steps,
        seed=config.seed,
        iteration=iteration,
        output=workspace.folder / "checkpoints" / f"iteration-{iteration:04d}",
        work=workspace.folder / "work" / f"finetune-{iteration:04d}",
        schedule=_schedule(workspace, iteration),
        progress=on_step,
        launcher=launcher,
        owner=workspace.lease.epoch,
        fence=workspace.lease.transaction,
    )
    row = CheckpointRow(
        iteration=iteration,
        parent_iteration=parent,
        path=str(outcome.checkpoint.path),
        sha256=outcome.checkpoint.sha256,
        bytes=outcome.checkpoint.size_bytes,
        parameters=workspace.parameters,
        training=TrainingFacts(outcome.steps, len(examples), outcome.loss, outcome.token_accuracy),
    )
    tokens = StageTokens(
        train_tokens=outcome.train_tokens,
        padded_train_tokens=outcome.padded_train_tokens,
        attention_pairs=outcome.attention_pairs,
    )
    with workspace.lease.transaction() as connection:
        write_checkpoint(connection, workspace.run_id, row, workspace.folder)
        # Loading and saving count; after a kill, the steps of the earlier processes do too.
        seconds = max(outcome.seconds, time.monotonic() - started)
        record_cost(connection, workspace, iteration, "finetune", tokens, seconds, outcome.adapter_parameters)
    return workspace.checkpoint(iteration)


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
