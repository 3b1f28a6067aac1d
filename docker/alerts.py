"""Alerts: automations that tell somebody of a run that failed, crashed, waits, stands still or got worse.

``docker/set_up.py`` makes them where ADASTAR_ALERTS says whom to tell (``docs/operations.md``). Every run that the server
knows is watched: those of deployments, of comparisons, and of commands that use the server.
"""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import ActionTypes, CallWebhook, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr

WEBHOOK = "adastar-alerts"
_ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
_SUSPENDED = {"prefect.flow-run.Suspended", "adastar.suspended"}
_STARTED = {f"prefect.flow-run.{state}" for state in ("Pending", "Running")}
_PROGRESS = "adastar.progress"
_ANY = ResourceSpecification({})
_OF_OUR_FLOWS = ResourceSpecification(
    {"prefect.resource.role": ["flow"], "prefect.resource.name": ["adastar", "compare"]}
)
"""Not those of iterations, which fail with their run."""


def _quoted(value: str) -> str:
    """Return the template of a text that others wrote: as code, so that no service makes a link or a mention of it."""
    harmless = "".join(
        f"|replace({found!r}, {instead!r})" for found, instead in (("`", "'"), ("<", "‹"), (">", "›"))
    )
    return f"`{{{{ ({value})|string|truncate(300){harmless} }}}}`"


_RUN, _WHY = (
    _quoted("flow_run.parameters.run or flow_run.name"),
    _quoted("flow_run.state.message or 'no reason given'"),
)
_STAGE = _quoted("event.payload.stage")
_BELOW = (
    "on {{ event.payload.split }} after iteration {{ event.payload.iteration }}: "
    "{{ '%.1f'|format(100 * event.payload.accuracy.share) }} % instead of "
    "{{ '%.1f'|format(100 * event.payload.base_accuracy.share) }} %"
)
_LINK = "{{ (flow_run|ui_url) or 'Flow run ' ~ flow_run.id }}"


def _alerts(minutes: float) -> dict[str, tuple[EventTrigger, str]]:
    """Return the trigger and the text of every alert by its name."""
    late, standing = {"prefect.flow-run.Late"}, {_PROGRESS}
    return {
        "Alert: an adastar run failed": (
            _at_once("prefect.flow-run.Failed", _OF_OUR_FLOWS),
            f"Run {_RUN} failed: {_WHY}",
        ),
        "Alert: an adastar run crashed": (
            _at_once("prefect.flow-run.Crashed", _OF_OUR_FLOWS),
            f"Run {_RUN} crashed: {_WHY}",
        ),
        "Alert: an adastar run is late": (
            _unless(late, _STARTED | _ENDED, minutes, _OF_OUR_FLOWS),
            f"Run {_RUN} has waited {minutes:g} minutes: no worker polls its pool, or the pool's limit is reached.",
        ),
        "Alert: an adastar run makes no progress": (
            _unless(standing, standing | _ENDED | _SUSPENDED, minutes, _ANY),
            f"Run {_RUN} has made no progress for {minutes:g} minutes, since {_STAGE}.",
        ),
        "Alert: an adastar run fell below its base model": (
            _at_once("adastar.accuracy.below-base", _ANY),
            f"Run {_RUN} fell below its base model {_BELOW}.",
        ),
    }


def _at_once(event: str, related: ResourceSpecification) -> EventTrigger:
    return EventTrigger(
        expect={event},
        match_related=related,
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _unless(
    after: set[str], expect: set[str], minutes: float, related: ResourceSpecification
) -> EventTrigger:
    """Return a trigger on the absence of what must follow within some minutes."""
    return EventTrigger(
        after=after,
        expect=expect,
        match_related=related,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(minutes=minutes),
    )


def set_up_alerts(client: SyncPrefectClient, address: str, minutes: float) -> None:
    """Send alerts to an address: a webhook's URL, or TYPE/NAME of a notification block. ``off`` removes them.

    Without an address, what was set up before stays: whoever repeats the set-up may not have it.
    """
    alerts = _alerts(minutes)
    known = {name: found[0].id for name in alerts if (found := client.read_automations_by_name(name))}
    if not address:
        print("alerts: as they are" if known else "alerts: off, because ADASTAR_ALERTS is not set")
    elif address == "off":
        for identity in known.values():
            client.delete_automation(identity)
        print("alerts: off")
    else:
        to_action = _webhook(address) if "://" in address else _notification(client, address)
        for name, (trigger, said) in alerts.items():
            wanted = AutomationCore(name=name, trigger=trigger, actions=[to_action(f"{said}\n{_LINK}")])
            if name in known:
                client.update_automation(known[name], wanted)
            else:
                client.create_automation(wanted)
        print(f"alerts: {len(alerts)} automations {'up to date' if known else 'created'}")


ToAction = Callable[[str], ActionTypes]


def _webhook(url: str) -> ToAction:
    """Return what posts ``{"text": …}`` there, as Slack, Mattermost, Google Chat and others take it."""
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https"):
        raise SystemExit(
            f"ADASTAR_ALERTS begins with {scheme}://. Give a URL that begins with https:// or http://."
        )
    block = Webhook(url=SecretStr(url), headers=SecretDict({"Content-Type": "application/json"}))
    identity = block.save(WEBHOOK, overwrite=True)
    text = '{{% set said %}}{}{{% endset %}}{{"text": {{{{ said|tojson }}}}}}'
    return lambda said: CallWebhook(block_document_id=identity, payload=text.format(said))


def _notification(client: SyncPrefectClient, address: str) -> ToAction:
    kind, _, name = address.partition("/")
    try:
        block = client.read_block_document_by_name(name, kind)
    except ObjectNotFound:
        raise SystemExit(
            f"ADASTAR_ALERTS is {address!r}, and the server has no such block. Give a webhook's URL, or TYPE/NAME as "
            "`prefect block ls` shows it."
        ) from None
    return lambda said: SendNotification(block_document_id=block.id, subject="AdaStaR", body=said)
