"""What becomes of a scheduled run that could not start in time.

A pool starts no more runs than its limit allows, and none while no worker polls it. Runs that come due meanwhile
wait, and would then all be made, one after the other: a deployment's own limit with CANCEL_NEW sees only runs that
were handed to a worker.
"""

from datetime import UTC, datetime

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.context import FlowRunContext


def overtaken_by() -> datetime | None:
    """Return when a later night of the same schedule came due, if one waits already; it does the same work."""
    context = FlowRunContext.get()
    mine = context.flow_run if context else None
    if mine is None or mine.deployment_id is None or not mine.auto_scheduled:
        return None  # somebody asked for this very run
    due = (one.expected_start_time for one in _waiting(mine) if one.parameters == mine.parameters)
    later = [time for time in due if time and mine.expected_start_time and time > mine.expected_start_time]
    return max(later, default=None)


def _waiting(mine: FlowRun) -> list[FlowRun]:
    """Return the runs of the same schedule that are due and were not started."""
    assert mine.deployment_id is not None
    wanted = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[mine.deployment_id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
        expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)),
    )
    with get_client(sync_client=True) as client:
        return [one for one in client.read_flow_runs(flow_run_filter=wanted) if one.auto_scheduled]
