"""A person's view: headless Chromium opens the form, starts a run, and reads what came out."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from adastar_core import names
from adastar_core.config import flatten, methods
from tests.deployment.conftest import Deployed
from tests.deployment.services import PATIENCE_SECONDS
from tests.support.browser import SCREENSHOTS, chromium, keep_screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Page

SECONDS = 1000.0


@pytest.fixture(scope="module")
def page() -> Iterator["Page"]:
    """An empty page of a fresh browser."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 1100})
        page.set_default_timeout(PATIENCE_SECONDS * SECONDS)
        yield page


def look(page: "Page", name: str) -> None:
    """Keep what the page shows, if that was asked for, once it has settled."""
    if SCREENSHOTS:
        page.wait_for_timeout(1.5 * SECONDS)
        keep_screenshot(page, name)


def test_the_form_starts_a_run_and_the_artifacts_show_it(deployed: Deployed, page: "Page") -> None:
    url = deployed.services.url
    deployment = deployed.deployment("smoke")["id"]
    page.goto(f"{url}/deployments/deployment/{deployment}/run")
    page.get_by_text("Parameters").first.wait_for()
    look(page, "form")
    for label in ("Iterations", "Attempts (K)", "Learning rate", "Strength signal"):
        page.get_by_text(f"{label} (Optional)", exact=True).first.wait_for()
    page.get_by_text("Rounds of sampling and fine-tuning; may be raised later.").first.wait_for()
    look(page, "form")

    def url_of(what: str) -> str:
        return f"{url}/artifacts/artifact/{artifact(deployed, names.key('smoke', what))}"

    before = runs_of(deployed, deployment)
    page.get_by_role("button", name="Submit").click()
    started = deployed.services.wait(lambda: runs_of(deployed, deployment) - before)
    (run_id,) = started
    assert deployed.wait_until_over(run_id) == "COMPLETED"
    sent = deployed.flow_run(run_id)["parameters"]["config"]
    assert sent["method"] == "adastar"
    assert {key: value for key, value in flatten(sent).items() if key in methods.decided()} == {}

    page.goto(f"{url}/runs/flow-run/{run_id}")
    page.get_by_text("Completed").first.wait_for()
    look(page, "flow-run")

    page.goto(url_of("iterations"))
    page.get_by_text(re.compile("^accepted$", re.IGNORECASE)).first.wait_for()
    look(page, "iterations")

    page.goto(url_of("report"))
    page.get_by_text("Test accuracy").first.wait_for()
    page.get_by_role("heading", name="smoke").first.wait_for()
    drawn = page.locator("img[src^='data:image/png;base64,']")
    drawn.first.wait_for()
    assert drawn.count() == 4
    assert all(one.evaluate("image => image.naturalWidth") > 500 for one in drawn.all())
    look(page, "report")

    page.goto(url_of("progress"))
    page.get_by_text("100%").first.wait_for()
    look(page, "progress")

    page.goto(f"{url}/artifacts")
    page.get_by_text(names.key("smoke", "progress")).first.wait_for()
    look(page, "artifacts")


def artifact(deployed: Deployed, key: str) -> str:
    """Return the id of the newest artifact with this key."""
    found = deployed.ask("POST", "artifacts/latest/filter", {"artifacts": {"key": {"any_": [key]}}})
    return str(found[0]["latest_id"])


def runs_of(deployed: Deployed, deployment: str) -> set[str]:
    """Return the ids of the deployment's runs that somebody started."""
    body = {"flow_runs": {"deployment_id": {"any_": [deployment]}}}
    return {
        str(one["id"]) for one in deployed.ask("POST", "flow_runs/filter", body) if not one["auto_scheduled"]
    }
