"""Who started the process of a run: the user on a command line, or what Prefect knows of the flow run."""

import os
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectException

from adastar_core.machine.starter import Starter, system_user

_KINDS = {"SCHEDULE": "schedule", "AUTOMATION": "automation"}


def starter() -> Starter:
    """Return who started the flow run for which a worker started this process, or that of its comparison.

    A server of one's own knows schedules and automations by name; of a user it only knows that there was a request.
    """
    try:
        identity = UUID(os.environ["PREFECT__FLOW_RUN_ID"])
    except (KeyError, ValueError):
        return system_user()
    try:
        with get_client(sync_client=True) as client:
            flow_run = client.read_flow_run(identity)
            return Starter(_by(flow_run), _deployment(client, flow_run), str(identity))
    except (httpx.HTTPError, PrefectException):
        return Starter(None, flow_run=str(identity))


def _by(flow_run: FlowRun) -> str | None:
    maker = flow_run.created_by
    if maker is None or not maker.display_value:
        return None
    return f"{_KINDS.get(maker.type or '', 'user')} {maker.display_value}"


def _deployment(client: SyncPrefectClient, flow_run: FlowRun) -> str | None:
    return client.read_deployment(flow_run.deployment_id).name if flow_run.deployment_id else None
