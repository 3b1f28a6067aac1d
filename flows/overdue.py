"""Scheduled runs that could not start in time.

A pool starts no more runs than its limit allows, and none while no worker polls it. Runs that come due meanwhile wait, and
would then all start, one after the other: a deployment's limit with CANCEL_NEW sees only runs that a worker has taken.
"""

from datetime import UTC, datetime

from prefect.client.orchestration import get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext


def overtaken_by() -> datetime | None:
    """Return when a later run of the same schedule came due, if one waits already: it does the same work."""
    context = FlowRunContext.get()
    this = context.flow_run if context else None
    if this is None or this.deployment_id is None or not this.auto_scheduled:
        return None  # a user asked for this run
    scheduled = filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED])
    waiting = filters.FlowRunFilter(
        deployment_id=filters.FlowRunFilterDeploymentId(any_=[this.deployment_id]),
        state=filters.FlowRunFilterState(type=scheduled),
        expected_start_time=filters.FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)),
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=waiting)
    due = (
        run.expected_start_time for run in runs if run.auto_scheduled and run.parameters == this.parameters
    )
    start = this.expected_start_time
    return max((time for time in due if time and start and time > start), default=None)
