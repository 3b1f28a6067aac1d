"""A run's report, written again from the store without owning the run."""

from pathlib import Path

from adastar_core.errors import StageError
from adastar_core.report.build import whole_report_of
from adastar_core.report.records import RunReport
from adastar_core.report.write import write_report
from adastar_core.runs.stored import StoredRun
from adastar_core.store.overview import find_overview


def rewrite_report(stored: StoredRun) -> tuple[RunReport, dict[str, Path]]:
    """Write the run's report again; return it and where its files lie.

    Raises:
        StageError: The base model has not been evaluated yet, so there is nothing to report.
    """
    with stored.engine.connect() as connection:
        overview = find_overview(connection, stored.run.name)
    if overview is None or overview.best_iteration is None:
        raise StageError(
            f"Run {stored.run.name!r} has no evaluation yet, so there is nothing to report. Continue it first."
        )
    report = whole_report_of(stored, overview.best_iteration)
    return report, write_report(stored, report)
