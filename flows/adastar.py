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
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Cancelled

from adastar_core.audit.reports import rewrite_report
from adastar_core.config import RunConfig
from adastar_core.records import Split
from adastar_core.report.opening import opening
from adastar_core.report.records import RunReport
from adastar_core.report.text import headline
from adastar_core.runs.nightly import nightly
from adastar_core.runs.opening import open_workspace
from adastar_core.settings import Text
from adastar_core.stages import is_prompted_otherwise
from flows.access import confine_deployed
from flows.ending import best_of, is_over, to_test
from flows.iteration import iterate
from flows.overdue import overtaken_by
from flows.stopping import ending_soon, ending_told_apart
from tasks.progress import ArtifactProgress
from tasks.reporting import report_iteration, report_run
from tasks.stages import evaluate, measure_as_sampled


@flow(name="adastar", flow_run_name="{run}", persist_result=False)
def adastar(
    config: RunConfig = RunConfig(), run: Text = "adastar", rerun: Literal["continue", "nightly"] = "continue"
) -> RunReport:
    """Improve a model on its own accepted rationales, and resume where an earlier attempt stopped.

    Args:
        config: What to do. Every field has a default.
        run: Name of the run, of up to 128 printable characters. A known name resumes that run, which refuses other values
            than its own.
        rerun: What to do with a known name. continue: resume the run. nightly: resume it if it is unfinished, has more
            iterations to do or its data grew; else start a new run, named after the day.
    """
    confine_deployed(config)
    if rerun == "nightly":
        if later := overtaken_by():
            return Cancelled(message=f"The night of {later:%Y-%m-%d %H:%M} has come due.")  # type: ignore[return-value]
        due: datetime | None = flow_run.scheduled_start_time  # a retry after midnight has the same
        config, run = nightly(config, run, (due or datetime.now(UTC)).date())
    shown = ArtifactProgress(run)
    with open_workspace(config, run, display=shown, explain=ending_told_apart) as workspace, ending_soon():
        if workspace.progress.display is shown:  # else the command shows the run
            shown.begin(opening(workspace))
        workspace.when_failed = partial(rewrite_report, workspace)  # an older one would tell of success
        gc.freeze()  # libraries and data stay: walking them at every full collection takes half a second
        validation = [evaluate(workspace.ref, 0, Split.VALIDATION)]
        if is_prompted_otherwise(workspace):
            measure_as_sampled(workspace.ref)
        for iteration in range(1, config.iterations + 1):
            iterate(workspace.ref, iteration)
            report_iteration(workspace.ref, iteration)
            validation.append(evaluate(workspace.ref, iteration, Split.VALIDATION))
            if is_over(workspace, config, validation):
                break
        for iteration in to_test(config, validation):
            evaluate(workspace.ref, iteration, Split.TEST)
        report = report_run(workspace.ref, best_of(validation))
        if workspace.progress.display is shown:
            shown.finish(headline(report))
        return report


if __name__ == "__main__":
    from flows.commandline import main

    main(adastar)
