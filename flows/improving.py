"""What the main job does, whichever of its flows was started: the command's (``adastar.py``) or the form's (``deployed.py``)."""

import gc
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Literal

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
from adastar_core.stages import is_prompted_otherwise
from adastar_core.stages.manifests import EvaluateManifest
from flows.access import confine_deployed
from flows.ending import best_of, is_over, to_test
from flows.iteration import iterate
from flows.overdue import overtaken_by
from flows.stopping import ending_soon, ending_told_apart
from flows.tagging import tagged_as_here, tasks_untagged
from tasks.progress import ArtifactProgress
from tasks.reporting import report_iteration, report_run
from tasks.stages import evaluate, measure_as_sampled

Rerun = Literal["continue", "nightly"]


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
    shown = ArtifactProgress(run)
    opened = open_workspace(config, run, preset=preset, display=shown, explain=ending_told_apart)
    with opened as workspace, ending_soon(), tasks_untagged():
        if workspace.progress.display is shown:  # else the command shows the run
            shown.begin(*filter(None, (opening(workspace), warning)))
        workspace.when_failed = partial(rewrite_report, workspace)  # an older one would tell of success
        gc.freeze()  # libraries and data stay: walking them at every full collection takes half a second
        validation = _iterations(workspace, config)
        for iteration in to_test(config, validation):
            evaluate(workspace.ref, iteration, Split.TEST)
        report = report_run(workspace.ref, best_of(validation))
        if workspace.progress.display is shown:
            shown.finish(headline(report))
        return report


def _iterations(workspace: Workspace, config: RunConfig) -> Sequence[EvaluateManifest]:
    """Do all iterations until the run is over; return what validation says of the base model and of each of them."""
    validation = [evaluate(workspace.ref, 0, Split.VALIDATION)]
    if is_prompted_otherwise(workspace):
        measure_as_sampled(workspace.ref)
    for iteration in range(1, config.iterations + 1):
        with tagged_as_here():
            iterate(workspace.ref, iteration)
        report_iteration(workspace.ref, iteration)
        validation.append(evaluate(workspace.ref, iteration, Split.VALIDATION))
        if is_over(workspace, config, validation):
            break
    return validation
