"""A person's view: headless Chromium opens the form, starts a run, and reads what came out."""

import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from adastar_core import names
from flows.deployed import adastar as deployed_flow
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
        page = browser.new_page(viewport={"width": 1440, "height": 2240})  # the form at one look
        page.set_default_timeout(PATIENCE_SECONDS * SECONDS)
        yield page


def look(page: "Page", name: str, height: int | None = None) -> None:
    """Keep what the page shows, if that was asked for, once it has settled: a flow run's graph takes a while."""
    if SCREENSHOTS:
        page.wait_for_timeout(10 * SECONDS)
        keep_screenshot(page, name, height=height)


def is_short_and_in_order(page: "Page") -> None:
    """Require that the open form asks for what people change, the name first, without much scrolling."""
    page.get_by_text("Parameters").first.wait_for()
    fields = list(inspect.signature(deployed_flow.fn).parameters)
    places = [
        page.get_by_text(f"{name} (Optional)", exact=True).first.bounding_box(
            timeout=PATIENCE_SECONDS * SECONDS
        )
        for name in fields
    ]
    heights = [place["y"] for place in places if place]
    assert heights == sorted(heights), "the name comes first, and what people change before the rest"
    assert len(heights) == len(fields)
    assert heights[-1] - heights[0] < 1500, "it was 12,600 pixels with a field for every key"
    page.get_by_text("Rounds of sampling and fine-tuning; may be raised later.").first.wait_for()
    assert page.get_by_text('Property is type "None"').count() == 0


def test_the_form_starts_a_run_and_the_artifacts_show_it(deployed: Deployed, page: "Page") -> None:
    url = deployed.services.url
    deployment = deployed.deployment("smoke")["id"]
    page.goto(f"{url}/deployments/deployment/{deployment}/run")
    page.get_by_placeholder("admin:pass").fill(deployed.services.client["PREFECT_API_AUTH_STRING"])
    page.get_by_role("button", name="Login").click()
    is_short_and_in_order(page)
    look(page, "form")

    def url_of(what: str) -> str:
        return f"{url}/artifacts/artifact/{artifact(deployed, names.key('smoke', what))}"

    before = runs_of(deployed, deployment)
    page.get_by_role("button", name="Submit").click()
    started = deployed.services.wait(lambda: runs_of(deployed, deployment) - before)
    (run_id,) = started
    assert deployed.wait_until_over(run_id) == "COMPLETED"
    sent = deployed.flow_run(run_id)["parameters"]
    assert (sent["run"], sent["preset"], sent["iterations"]) == ("smoke", "quickstart", 2)
    assert sent["overrides"]["problem"]["train"] == 240
    children = {"flow_runs": {"parent_flow_run_id": {"any_": [run_id]}}}
    iterations = deployed.ask("POST", "flow_runs/filter", children)
    assert [sorted(one["tags"]) for one in iterations] == [["adastar", "smoke"]] * 2

    page.goto(f"{url}/runs/flow-run/{run_id}")
    page.get_by_text("Completed").first.wait_for()
    look(page, "flow-run", height=1100)

    page.goto(url_of("iterations"))
    page.get_by_text(re.compile("^accepted$", re.IGNORECASE)).first.wait_for()
    look(page, "iterations", height=540)

    page.goto(url_of("report"))
    page.get_by_text("Test accuracy").first.wait_for()
    page.get_by_role("heading", name="smoke").first.wait_for()
    drawn = page.locator("img[src^='data:image/png;base64,']")
    drawn.first.wait_for()
    assert drawn.count() == 4
    assert all(one.evaluate("image => image.naturalWidth") > 500 for one in drawn.all())
    look(page, "report", height=1100)

    page.goto(url_of("progress"))
    page.get_by_text("100%").first.wait_for()
    look(page, "progress", height=1100)

    page.goto(f"{url}/artifacts")
    page.get_by_text(names.key("smoke", "progress")).first.wait_for()
    look(page, "artifacts", height=1100)


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
