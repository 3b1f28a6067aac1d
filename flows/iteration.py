"""One self-improvement iteration as a Prefect flow: sample, generate, verify, finetune, evaluate, advance."""

from prefect import flow

from adastar_core.records import Split
from adastar_core.runs.stored import RunRef
from adastar_core.stages.manifests import AdvanceManifest
from flows.stopping import ending_soon
from flows.tagging import tasks_untagged
from tasks.stages import advance, evaluate, finetune, generate, sample, verify


@flow(
    name="iteration",
    flow_run_name="{run.name}-iteration-{iteration}",
    validate_parameters=False,
    persist_result=False,
)
def iterate(run: RunRef, iteration: int) -> AdvanceManifest:
    """Run one iteration; what an earlier attempt finished is read back.

    The run's workspace must be open in this process, and the iteration before it closed.
    """
    with ending_soon(), tasks_untagged():
        wave = 1
        while not sample(run, iteration, wave).closed:
            generate(run, iteration, wave)
            verify(run, iteration, wave)
            wave += 1
        finetune(run, iteration)
        evaluate(run, iteration, Split.VALIDATION)
        return advance(run, iteration)
