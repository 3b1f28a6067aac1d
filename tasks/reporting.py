"""Reports as Prefect artifacts. Never cached: an artifact is not made again on a cache hit."""

import json
from base64 import b64encode

from prefect import task

from adastar_core import names
from adastar_core.machine.units import flops
from adastar_core.report.build import report_of, whole_report_of
from adastar_core.report.numbers import follow_end, follow_iteration
from adastar_core.report.records import IterationSummary, RunReport
from adastar_core.report.text import cells, headings, markdown
from adastar_core.report.write import write_report
from adastar_core.runs.opening import workspace_of
from adastar_core.runs.stored import RunRef
from adastar_core.store.runs import finish_run
from tasks.artifacts import put_artifact
from tasks.caching import NOT_CACHED


@task(task_run_name="report t={iteration}", cache_policy=NOT_CACHED, persist_result=False)
def report_iteration(run: RunRef, iteration: int) -> None:
    """Show the iteration as a line, and tell the monitors."""
    workspace = workspace_of(run)
    report = report_of(workspace, best=0)
    row = next(row for row in report.iterations if row.t == iteration)
    for line in (iteration_line(row), *row.warnings):
        workspace.progress.line(line)
    follow_iteration(workspace, report, row)


@task(task_run_name="report iterations t={iteration}", cache_policy=NOT_CACHED, persist_result=False)
def report_iterations(run: RunRef, iteration: int) -> None:  # noqa: ARG001 (names the task run)
    """Show the iterations so far as a table, and their curves as the report for now."""
    report = report_of(workspace_of(run), best=0)
    rows = [dict(zip(headings(report), row, strict=True)) for row in cells(report)]
    table, page = names.key(run.name, "iterations"), names.key(run.name, "report")
    put_artifact("table", table, json.dumps(rows), f"Iterations of run {run.name}")
    put_artifact("markdown", page, drawn(report), f"Run {run.name}, at work")


@task(task_run_name="report", cache_policy=NOT_CACHED, persist_result=False)
def report_run(run: RunRef, best: int) -> RunReport:
    """Write the run's report files, show it as a Markdown artifact, and mark the run finished."""
    workspace = workspace_of(run)
    workspace.lease.seen()  # the time that the report states, here and whenever it is made again
    report = whole_report_of(workspace, best)
    files = write_report(workspace, report)
    with workspace.lease.after_the_report() as connection:
        finish_run(connection, workspace.run_id, "finished")
    figures = [path for path in files.values() if path.suffix == ".png"]
    images = [image(path.stem, path.read_bytes()) for path in figures]
    page = "\n".join((markdown(report), drawn(report), *images))
    put_artifact("markdown", names.key(run.name, "report"), page, f"Run {run.name}")
    follow_end(workspace, report, files)
    return report


def drawn(report: RunReport) -> str:
    """Return the curves of the iterations so far as Markdown, with what they show."""
    from adastar_core.report.curves import curves  # matplotlib is slow to load

    figure = curves(report)
    return f"{image(figure.name, figure.png)}\n\n{figure.caption}\n"


def image(name: str, png: bytes) -> str:
    """Return Markdown with the picture inside it: an artifact cannot link to a worker's disk."""
    return f"![{name}](data:image/png;base64,{b64encode(png).decode()})"


def iteration_line(row: IterationSummary) -> str:
    """Return an iteration as the one line that logs show of it."""
    share = row.validation.share if row.validation else None
    accuracy = "not measured" if share is None else f"{share:.1%}"
    return (
        f"t={row.t}  {row.accepted:,} of {row.beta:,} accepted from {row.m:,} observations, alpha {row.alpha:.3f}, "
        f"{row.stamped:,} stamped; validation {accuracy}; {flops(row.pflops)}, {row.seconds:.0f} s"
    )
