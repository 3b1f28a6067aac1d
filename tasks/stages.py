"""The steps of an iteration as Prefect tasks: each looks its workspace up and calls the core.

A result that Prefect kept may be ahead of the database, which was restored from a backup, lost its last commits in a
failover, or is a copy. So a cached task first asks the store, with one query, and uses Prefect's result only if the store
has the same.
"""

from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, TypeVar

from prefect import task

from adastar_core import stages
from adastar_core.records import Split
from adastar_core.runs.opening import workspace_of
from adastar_core.runs.stored import RunRef
from adastar_core.runs.workspace import Workspace
from adastar_core.stages import manifests
from tasks.caching import NOT_CACHED, STAGE_POLICY

P = ParamSpec("P")
R = TypeVar("R")


class CachedStage(Generic[P, R]):
    """A cached task whose kept result, a small JSON manifest, is used only if the store has the same.

    ``stored`` returns the result as the store holds it, or ``None`` if the stage is not done.
    """

    def __init__(
        self,
        function: Callable[Concatenate[RunRef, P], R],
        stored: Callable[Concatenate[Workspace, P], R | None],
        name: str,
    ) -> None:
        self.task = task(
            task_run_name=name, cache_policy=STAGE_POLICY, persist_result=True, result_serializer="json"
        )(function)
        self._refreshed = self.task.with_options(refresh_cache=True)
        self._stored = stored

    def __call__(self, run: RunRef, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the kept result, or that of doing what the store lacks."""
        known = self._stored(workspace_of(run), *args, **kwargs)
        if known is not None and self.task(run, *args, **kwargs) == known:
            return known
        return self._refreshed(run, *args, **kwargs)


def stage(
    stored: Callable[Concatenate[Workspace, P], R | None], name: str
) -> Callable[[Callable[Concatenate[RunRef, P], R]], CachedStage[P, R]]:
    """Make a function a :class:`CachedStage`; ``name`` names its runs, with its arguments in braces."""
    return lambda function: CachedStage(function, stored, name)


def _sampled(workspace: Workspace, iteration: int, wave: int) -> manifests.SampleManifest | None:  # noqa: ARG001
    return stages.find_sample(workspace, iteration)


@stage(_sampled, "sample t={iteration} wave {wave}")
def sample(run: RunRef, iteration: int, wave: int) -> manifests.SampleManifest:
    """Plan the attempts of the iteration's next wave, or close its sampling when nothing is owed."""
    return stages.sample(workspace_of(run), iteration, wave)


@task(task_run_name="generate t={iteration} wave {wave}", cache_policy=NOT_CACHED, persist_result=False)
def generate(run: RunRef, iteration: int, wave: int) -> manifests.GenerateManifest:
    """Generate the planned attempts that are not stored yet, batch by batch; only the store knows which."""
    return stages.generate(workspace_of(run), iteration, wave)


@task(task_run_name="verify t={iteration} wave {wave}", cache_policy=NOT_CACHED, persist_result=False)
def verify(run: RunRef, iteration: int, wave: int) -> manifests.VerifyManifest:
    """Judge every stored attempt of the iteration that has no verdict yet."""
    return stages.verify(workspace_of(run), iteration, wave)


@stage(stages.find_finetune, "finetune t={iteration}")
def finetune(run: RunRef, iteration: int) -> manifests.FinetuneManifest:
    """Fine-tune on the iteration's accepted rationales and publish the checkpoint."""
    return stages.finetune(workspace_of(run), iteration)


@stage(stages.find_evaluate, "evaluate {split} t={iteration}")
def evaluate(run: RunRef, iteration: int, split: Split) -> manifests.EvaluateManifest:
    """Measure a checkpoint's greedy accuracy on a split; iteration 0 is the base model."""
    return stages.evaluate(workspace_of(run), iteration, split)


@task(cache_policy=NOT_CACHED, persist_result=False, task_run_name="evaluate validation as sampled")
def measure_as_sampled(run: RunRef) -> None:
    """Measure the base model on validation in the form in which rationales are sampled; the store knows if it is done."""
    stages.measure_as_sampled(workspace_of(run))


@stage(stages.find_advance, "advance t={iteration}")
def advance(run: RunRef, iteration: int) -> manifests.AdvanceManifest:
    """Stamp the first u visited observations and close the iteration, in one transaction."""
    return stages.advance(workspace_of(run), iteration)
