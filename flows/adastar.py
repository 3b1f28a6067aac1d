"""The main job: a self-improvement run, as a Prefect flow and as a command.

Run it:  python flows/adastar.py                      the quickstart, on a laptop without a GPU
         python flows/adastar.py --help               every option
"""

import sys  # isort: skip

if (
    __name__ == "__main__"
):  # Python puts this folder on the path; flows and tasks are found from the checkout's root
    sys.path.insert(0, __file__.rpartition("flows")[0] or ".")
from flows import environment  # isort: skip  # noqa: F401 (first: Prefect reads the environment when imported)

import gc
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Cancelled

from adastar_core.config import RunConfig
from adastar_core.records import Split
from adastar_core.report.records import RunReport
from adastar_core.runs.nightly import nightly
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import RunRef
from adastar_core.runs.workspace import Workspace
from adastar_core.settings import Text
from adastar_core.stages.manifests import EvaluateManifest
from adastar_core.store.results import spent_pflops
from flows.access import confine_deployed
from flows.iteration import iterate
from flows.overdue import overtaken_by
from tasks.progress import ArtifactProgress
from tasks.reporting import report_run
from tasks.stages import evaluate


@flow(name="adastar", flow_run_name="{run}", persist_result=False)
def adastar(
    config: RunConfig = RunConfig(),
    run: Text = "adastar",
    rerun: Literal["continue", "nightly"] = "continue",
) -> RunReport:
    """Improve a model on its own accepted rationales, and continue where an earlier attempt stopped.

    Args:
        config: What to do. Every field has a default.
        run: Name of the run, of up to 128 printable characters. A known name continues that run; other values than its own are
            refused.
        rerun: What a known name means. continue: go on with it. nightly: go on if it is unfinished, has more iterations
            to do or its data grew; else start a run of its own, named after the day.
    """
    confine_deployed(config)
    if rerun == "nightly":
        if later := overtaken_by():
            return Cancelled(message=f"The night of {later:%Y-%m-%d %H:%M} has come due.")  # type: ignore[return-value]
        config, run = nightly(config, run, scheduled_day())
    with open_workspace(config, run, progress=ArtifactProgress(run)) as workspace:
        gc.freeze()  # libraries and data stay: walking them at every full collection takes half a second
        validation = [evaluate(workspace.ref, 0, Split.VALIDATION)]
        for iteration in range(1, config.iterations + 1):
            iterate(workspace.ref, iteration)
            validation.append(evaluate(workspace.ref, iteration, Split.VALIDATION))
            if out_of_patience(validation, config.patience) or out_of_budget(workspace, iteration):
                break
        best = best_of(validation)
        tested = range(len(validation)) if config.evaluation.test_every_iteration else sorted({0, best})
        return conclude(workspace.ref, best, tested)


def scheduled_day() -> date:
    """Return the day that this flow run was scheduled for, in UTC; a retry after midnight has the same."""
    due: datetime | None = flow_run.scheduled_start_time
    return (due or datetime.now(UTC)).date()


def conclude(run: RunRef, best: int, tested: Iterable[int]) -> RunReport:
    """Evaluate the base model and the selected checkpoint, or all, on the test split, and report."""
    for iteration in tested:
        evaluate(run, iteration, Split.TEST)
    return report_run(run, best)


def best_of(validation: list[EvaluateManifest]) -> int:
    """Return the iteration with the best share right on validation, the earliest among equals; 0 is the base model."""
    return max(validation, key=lambda one: one.accuracy).iteration


def out_of_patience(validation: list[EvaluateManifest], patience: int | None) -> bool:
    """Return whether the last ``patience`` iterations brought no better validation accuracy."""
    return patience is not None and validation[-1].iteration - best_of(validation) >= patience


def out_of_budget(workspace: Workspace, iteration: int) -> bool:
    """Return whether the iterations up to this one have spent the budget; evaluation does not count."""
    budget = workspace.config.budget_pflops
    return budget is not None and workspace.read(spent_pflops, iteration) >= budget


if __name__ == "__main__":
    from flows.commandline import main

    main(adastar)
