"""A run's report, made anew from the store without owning the run."""

from pathlib import Path

from adastar_core.compute import ModelShape
from adastar_core.errors import StageError
from adastar_core.records import Split
from adastar_core.report.build import report_of, write_report
from adastar_core.report.records import RunReport
from adastar_core.runs.stored import RunRef, StoredRun
from adastar_core.runs.workspace import Workspace
from adastar_core.store.checkpoints import find_checkpoint
from adastar_core.store.lease import Lease
from adastar_core.store.overview import find_overview

_NOBODYS_EPOCH = -1
"""No run ever has it, so a lease with it can write nothing."""


def rewrite_report(stored: StoredRun) -> tuple[RunReport, dict[str, Path]]:
    """Make the run's report anew from the store; return it and where its files lie.

    Raises:
        StageError: The base model has not been evaluated yet, so there is nothing to report.
    """
    with stored.engine.connect() as connection:
        overview = find_overview(connection, stored.run.name)
        base = find_checkpoint(connection, stored.run.run_id, 0, stored.folder)
    if overview is None or overview.best_iteration is None or base is None:
        raise StageError(
            f"Run {stored.run.name!r} has no evaluation yet, so there is nothing to report. Continue it first."
        )
    workspace = Workspace(
        ref=RunRef(uid=stored.run.uid, name=stored.run.name, config_sha256=stored.run.config_sha256),
        config=stored.config,
        run_id=stored.run.run_id,
        engine=stored.engine,
        lease=Lease(stored.engine, stored.run.run_id, stored.run.name, _NOBODYS_EPOCH),
        problem=stored.problem,
        data={Split.TRAIN: stored.train},
        base=Path(stored.located(base).path),
        shape=ModelShape(base.parameters, 0, 0),  # a report takes the compute that was recorded
        folder=stored.folder,
    )
    report = report_of(workspace, overview.best_iteration)
    return report, write_report(workspace, report)
