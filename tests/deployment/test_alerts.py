"""Alerts: what a real server posts to a webhook on this machine when runs go wrong."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from sqlalchemy import text

from tests.deployment.conftest import Deployed

ALERTS = 5
MINUTES = "0.25"
"""Longer than the time between two announcements of progress."""

RUINED = {
    "iterations": 2,
    "problem": {"type": "arithmetic", "train": 200, "validation": 40, "test": 8, "max_digits": 2},
    "schedule": {"first_steps": 4},
    "trainer": {"batch_size": 4, "learning_rate": 0.9, "max_grad_norm": 1000.0},
    "generator": {"batch_size": 4, "max_new_tokens": 40},
}
"""Training that leaves nothing of the model: in its second iteration nothing is right, so it samples the whole pool."""


class Webhook(list[str]):
    """The texts that were posted to ``url``."""

    url = ""

    def of(self, *words: str) -> str:
        """Return the newest text with all these words; nothing if there is none."""
        return next((said for said in reversed(self) if all(word in said for word in words)), "")


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    """A server on this machine that keeps what is posted to it."""
    posted = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/json"
            posted.append(json.loads(body)["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    posted.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield posted
    server.shutdown()
    thread.join()
    server.server_close()


def set_up(deployed: Deployed, address: str, status: int = 0) -> str:
    """Repeat the set-up with an address for alerts; return what it says of them."""
    alerts = {"ADASTAR_ALERTS": address, "ADASTAR_ALERT_MINUTES": MINUTES}
    done = deployed.services.done("set-up", sys.executable, "docker/set_up.py", **alerts)
    assert done.returncode == status, done.stderr
    if status:
        return done.stderr.splitlines()[-1]
    return next(line for line in done.stdout.splitlines() if line.startswith("alerts"))


def automations(deployed: Deployed) -> dict[str, str]:
    """Return the ids of all alerts by name."""
    found = deployed.ask("POST", "automations/filter", {})
    return {one["name"]: one["id"] for one in found if one["name"].startswith("Alert")}


@contextmanager
def alerting(deployed: Deployed, webhook: Webhook) -> Iterator[None]:
    """Send alerts to the webhook for a while."""
    assert set_up(deployed, webhook.url) == f"alerts: {ALERTS} automations created"
    try:
        yield
    finally:
        assert set_up(deployed, "off") == "alerts: off"


def test_they_are_off_until_an_address_is_given_and_the_set_up_can_be_repeated(
    deployed: Deployed, webhook: Webhook
) -> None:
    assert set_up(deployed, "") == "alerts: off, because ADASTAR_ALERTS is not set"
    assert automations(deployed) == {}
    with alerting(deployed, webhook):
        made = automations(deployed)
        assert len(made) == ALERTS
        assert set_up(deployed, webhook.url) == f"alerts: {ALERTS} automations up to date"
        assert set_up(deployed, "") == "alerts: as they are"
        assert automations(deployed) == made
    assert automations(deployed) == {}


def test_an_alert_goes_to_any_notification_block(deployed: Deployed, webhook: Webhook) -> None:
    """Which sends mail, for one; this one posts what it is told to."""
    found = deployed.services.client
    server = (PREFECT_API_URL, PREFECT_API_AUTH_STRING)
    with temporary_settings({setting: found[setting.name] for setting in server}):
        form = {"text": "{{subject}}: {{body}}"}
        CustomWebhookNotificationBlock(name="team", url=webhook.url, json_data=form).save("team")
    try:
        assert set_up(deployed, "custom-webhook/team") == f"alerts: {ALERTS} automations created"
        deployed.trigger("smoke", {"run": "posted", "overrides": {"trainer.lerning_rate": 1}})
        said = deployed.services.wait(lambda: webhook.of("`posted` failed"))
        assert said.startswith("AdaStaR: Run `posted`")
        refused = set_up(deployed, "custom-webhook/nobody", status=1)
        assert "has no such block" in refused
        assert "begins with ftp://" in set_up(deployed, "ftp://me:secret@place", status=1)
    finally:
        set_up(deployed, "off")
    webhook.clear()


def test_runs_that_fail_wait_get_worse_stand_still_and_crash(deployed: Deployed, webhook: Webhook) -> None:
    with alerting(deployed, webhook):
        waiting = deployed.trigger("docker-gpu", {"run": "waiting"})  # no worker polls its pool
        hostile = "<!channel> `[x](http://x)"
        deployed.trigger("smoke", {"run": hostile, "overrides": {"trainer.lerning_rate": 1}})
        deployed.trigger("smoke", {"run": "ruined", "overrides": RUINED})
        failed = deployed.services.wait(lambda: webhook.of("failed"))
        assert failed.startswith("Run `‹!channel› '[x](http://x)` failed: `")
        assert "did you mean 'trainer.learning_rate'?" in failed
        below = deployed.services.wait(lambda: webhook.of("`ruined` fell below its base model"))
        assert "on validation after iteration 1: 0.0 % instead of " in below

        process = owner(deployed, "ruined")
        os.kill(process, signal.SIGSTOP)
        still = "`ruined` has made no progress for 0.25 minutes, since `"
        deployed.services.wait(lambda: webhook.of(still))
        os.kill(process, signal.SIGKILL)
        # Its worker says so, or the automation that misses its heartbeat.
        deployed.services.wait(lambda: webhook.of("`ruined` crashed: `"))
        deployed.services.wait(lambda: webhook.of("`waiting` has waited 0.25 minutes"))
        deployed.ask("DELETE", f"flow_runs/{waiting}")
    assert all(said.splitlines()[-1].startswith(("http://", "Flow run ")) for said in webhook)
    for words in ("failed: `", "fell below its base model", "has waited 0.25 minutes"):
        assert len([said for said in webhook if words in said]) == 1, webhook
    # A busy machine may be slow in between, and then a run that stands still misses its heartbeat before it is killed.
    assert 1 <= len([said for said in webhook if "crashed: `" in said]) <= 2, webhook


def owner(deployed: Deployed, run: str) -> int:
    """Return the process that owns a run."""
    with deployed.database.connect() as connection:
        found = connection.scalar(text("SELECT owner FROM runs WHERE name = :name"), {"name": run})
    return int(str(found).split()[1])
