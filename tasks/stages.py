"""The steps of an iteration as Prefect tasks: each looks its workspace up and calls the core."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect import Task, task

from adastar_core import stages
from adastar_core.records import Split
from adastar_core.stages.manifests import (
    AdvanceManifest,
    EvaluateManifest,
    FinetuneManifest,
    GenerateManifest,
    RunRef,
    SampleManifest,
    VerifyManifest,
)
from adastar_core.stages.opening import workspace_of
from tasks.caching import STAGE_POLICY

P = ParamSpec("P")
R = TypeVar("R")


def stage(function: Callable[P, R]) -> Task[P, R]:
    """Make a cached task of ``function``: results are small JSON manifests under the one policy."""
    return task(cache_policy=STAGE_POLICY, persist_result=True, result_serializer="json")(function)


@stage
def sample(run: RunRef, iteration: int, wave: int) -> SampleManifest:
    """Plan the attempts of the iteration's next wave, or close its sampling when nothing is owed."""
    return stages.sample(workspace_of(run), iteration, wave)


@stage
def generate(run: RunRef, iteration: int, wave: int) -> GenerateManifest:
    """Generate the planned attempts that are not stored yet, batch by batch."""
    return stages.generate(workspace_of(run), iteration, wave)


@stage
def verify(run: RunRef, iteration: int, wave: int) -> VerifyManifest:
    """Judge every stored attempt of the iteration that has no verdict yet."""
    return stages.verify(workspace_of(run), iteration, wave)


@stage
def finetune(run: RunRef, iteration: int) -> FinetuneManifest:
    """Fine-tune on the iteration's accepted rationales and publish the checkpoint."""
    return stages.finetune(workspace_of(run), iteration)


@stage
def evaluate(run: RunRef, iteration: int, split: Split) -> EvaluateManifest:
    """Measure a checkpoint's greedy accuracy on a split; iteration 0 is the base model."""
    return stages.evaluate(workspace_of(run), iteration, split)


@stage
def advance(run: RunRef, iteration: int) -> AdvanceManifest:
    """Stamp the first u visited observations and close the iteration, in one transaction."""
    return stages.advance(workspace_of(run), iteration)
