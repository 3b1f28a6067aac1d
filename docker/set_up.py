"""Prepare a Prefect server: work pools, the automation that finds dead runs, alerts, and secrets.

Run it as often as you like:  PREFECT_API_URL=http://localhost:4200/api python docker/set_up.py

The pools' templates let a run choose only its GPUs: no command, folder, environment, image, volume or network. To change a
template, edit docker/pools/*.json and run this again.

ADASTAR_ALERTS says whom to alert (alerts.py), and ADASTAR_ALERT_MINUTES how long a run may wait or stand still before.

Containers do not inherit the worker's environment, so this stores ADASTAR_DATABASE_URL, HF_TOKEN and
ADASTAR_STORE as secrets for them.
"""

import json
import os
from datetime import timedelta
from pathlib import Path

from alerts import set_up_alerts
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

POOLS = Path(__file__).parent / "pools"
LIMITS = {"adastar-process": 1, "adastar-docker-gpu": 1, "adastar-kubernetes-gpu": 8}
"""Largest number of concurrent flow runs. One per GPU machine, because training and generation each need the whole card."""

HEARTBEAT_SECONDS = 30
SECRETS = {
    "adastar-database-url": "ADASTAR_DATABASE_URL",
    "adastar-hf-token": "HF_TOKEN",
    "adastar-store": "ADASTAR_STORE",
}
"""Prefect's secrets for containers, and the variables that they are made from."""
DIED = "No heartbeat: the process or its worker has died."
ALIVE_OR_OVER = ("heartbeat", "Completed", "Failed", "Cancelled", "Crashed", "AwaitingRetry", "Suspended")
ZOMBIES = "Crash adastar runs without a heartbeat"


def main() -> None:
    """Make or update the pools, automations, alerts and secrets; what is up to date is left alone."""
    with get_client(sync_client=True) as client:
        for path in sorted(POOLS.glob("*.json")):
            set_up_pool(client, path.stem, json.loads(path.read_text()))
        set_up_automation(client)
        set_up_alerts(client, os.environ.get("ADASTAR_ALERTS", ""), alert_minutes())
    for name, variable in SECRETS.items():
        set_up_secret(name, os.environ.get(variable))


def set_up_pool(client: SyncPrefectClient, name: str, pool: dict[str, object]) -> None:
    """Make a work pool, or give an existing one this job template and its limit of runs at once."""
    template, limit = pool["base_job_template"], LIMITS[name]
    assert isinstance(template, dict)
    try:
        existing = client.read_work_pool(name)
    except ObjectNotFound:
        kind = str(pool["type"])
        client.create_work_pool(
            WorkPoolCreate(name=name, type=kind, base_job_template=template, concurrency_limit=limit)
        )
        print(f"work pool {name}: created, at most {limit} at once")
        return
    if (existing.base_job_template, existing.concurrency_limit) != (template, limit):
        client.update_work_pool(name, WorkPoolUpdate(base_job_template=template, concurrency_limit=limit))
        print(f"work pool {name}: updated")
    else:
        print(f"work pool {name}: up to date")


def set_up_automation(client: SyncPrefectClient) -> None:
    """Let the server mark runs as crashed after three missed heartbeats.

    A worker reports its own dead runs. Only this finds runs whose worker died as well.
    """
    existing = client.read_automations_by_name(ZOMBIES)
    if existing:
        client.update_automation(existing[0].id, zombie_automation())
        print(f"automation {ZOMBIES!r}: up to date")
    else:
        client.create_automation(zombie_automation())
        print(f"automation {ZOMBIES!r}: created")


def set_up_secret(name: str, value: str | None) -> None:
    """Store a variable's value for containers. Without a database URL they use the local one of their data directory."""
    try:
        known = str(Secret.load(name).get())
    except ValueError:
        known = None
    if known is None or (value and value != known):
        Secret(value=value or "").save(name, overwrite=True)
        print(f"secret {name}: stored")
    else:
        print(f"secret {name}: up to date")


def alert_minutes() -> float:
    """Return how long a run may wait or stand still. Prefect waits at least ten seconds."""
    given = os.environ.get("ADASTAR_ALERT_MINUTES") or "30"
    try:
        minutes = float(given)
    except ValueError:
        minutes = 0.0
    if not 1 / 6 <= minutes <= 7 * 24 * 60:
        raise SystemExit(f"ADASTAR_ALERT_MINUTES is {given!r}: give a number of minutes, at most a week.")
    return minutes


def zombie_automation() -> AutomationCore:
    """Return what calls a run crashed whose heartbeats stop without an end or a pause."""
    return AutomationCore(
        name=ZOMBIES,
        description="A flow run that stops sending heartbeats without an end or a pause has died with its worker.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={f"prefect.flow-run.{event}" for event in ALIVE_OR_OVER} | {"adastar.suspended"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=3 * HEARTBEAT_SECONDS),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=DIED)],
    )


if __name__ == "__main__":
    main()
