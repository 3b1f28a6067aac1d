"""What the main job does, whichever of its flows was started: the command's (``adastar.py``) or the form's (``deployed.py``)."""

import gc
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from prefect.futures import PrefectFuture
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
from adastar_core.runs.workspace import Workspace
from adastar_core.stages import find_advance, find_evaluate, is_prompted_otherwise
from adastar_core.stages.manifests import EvaluateManifest
from flows.access import confine_deployed
from flows.ending import best_of, is_over, to_test
from flows.iteration import iterate
from flows.overdue import overtaken_by
from flows.starter import starter
from flows.stopping import ended_when_cancelled, ending_soon, ending_told_apart
from flows.tagging import tagged_as_here, tasks_untagged
from tasks.events import Announced, Announcer
from tasks.progress import ArtifactProgress
from tasks.reporting import report_iteration, report_iterations, report_run
from tasks.stages import evaluate, measure_as_sampled

Rerun = Literal["continue", "nightly"]


@ended_when_cancelled
def improve(
    config: RunConfig, run: str, rerun: Rerun = "continue", *, preset: str = "", warning: str | None = None
) -> RunReport:
    """Do the run to its end, in the flow at work. ``preset`` is where the configuration came from, ``warning`` what to know."""
    confine_deployed(config)
    if rerun == "nightly":
        if later := overtaken_by():
            return Cancelled(message=f"The night of {later:%Y-%m-%d %H:%M} has come due.")  # type: ignore[return-value]
        due: datetime | None = flow_run.scheduled_start_time  # a retry after midnight has the same
        config, run = nightly(config, run, (due or datetime.now(UTC)).date())
    shown, announcer = ArtifactProgress(run), Announcer(run)
    opened = open_workspace(
        config, run, preset=preset, display=shown, explain=ending_told_apart, starter=starter
    )
    with opened as workspace, ending_soon(), tasks_untagged():
        display = workspace.progress.display
        if display is shown:  # else the command shows the run
            shown.begin(*filter(None, (opening(workspace), warning)))
        workspace.progress.display = Announced(display, announcer)
        workspace.when_failed = partial(rewrite_report, workspace)  # an older one would tell of success
        gc.freeze()  # libraries and data stay: walking them at every full collection takes half a second
        validation = _iterations(workspace, config, announcer)
        best = best_of(validation)
        known = find_evaluate(workspace, best, Split.TEST)
        tested = {t: evaluate(workspace.ref, t, Split.TEST) for t in to_test(config, validation)}
        if known is None and tested[best].accuracy < tested[0].accuracy:
            announcer.below_base(workspace.ref, tested[0], tested[best])
        report = report_run(workspace.ref, best)
        if display is shown:
            shown.finish(headline(report))
        return report


def _iterations(workspace: Workspace, config: RunConfig, announcer: Announcer) -> Sequence[EvaluateManifest]:
    """Do all iterations until the run is over; return what validation says of the base model and of each of them."""
    validation = [evaluate(workspace.ref, 0, Split.VALIDATION)]
    if is_prompted_otherwise(workspace):
        measure_as_sampled(workspace.ref)
    shown: PrefectFuture[None] | None = None
    for iteration in range(1, config.iterations + 1):
        known = find_advance(workspace, iteration)
        with tagged_as_here():
            iterate(workspace.ref, iteration)
        report_iteration(workspace.ref, iteration)
        if shown is not None:
            shown.result()
        shown = report_iterations.submit(workspace.ref, iteration)  # while the next iteration samples
        evaluated = find_evaluate(workspace, iteration, Split.VALIDATION)
        assert evaluated is not None, "the iteration evaluated it"
        validation.append(evaluated)
        if known is None:  # an earlier process announced what it finished
            announcer.iteration_finished(workspace.ref, validation[0], *validation[-2:])
        if is_over(workspace, config, validation):
            break
    if shown is not None:
        shown.result()
    return validation
