"""A run whose name and whose model's texts are hostile, as people see it: Chromium opens its report and its artifacts."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import Engine

from adastar_core import names
from flows.adastar import adastar as run_flow
from tests.stages.test_custom_generator import OWN
from tests.support.browser import chromium, keep_screenshot
from tests.support.runs import small_config

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAME = "<img src=http://e.example/a> ![b](http://e.example/b) [c](http://e.example/c) http://e.example/d <b>e</b> `f` www.e.example"
HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\"><svg onload=\"document.title='taken'\">"
    "<iframe src=http://e.example/f></iframe><style>@import 'http://e.example/g';</style>"
    "![h](http://e.example/h.png) [i](http://e.example/i) [j](javascript:alert(1)) <http://e.example/k> http://e.example/l www.e.example "
    "someone@e.example <a href='http://e.example/m'>m</a>\n\n# heading\n\n[n]: http://e.example/n\n![n]\n```\n~~~\n| a | b |\n|---|---|\n"
    f"\x1b[31mred\x1b]0;title\x07\x1b[2J \u202egnp.exe\u2066 {'long' * 100} $\\href{{http://e.example/o}}{{o}}$ "
)  # fmt: skip
"""What a browser, Markdown, a terminal or a reader would make something of. Before it stands what the model really said."""
WIDTH = 1280


@pytest.fixture
def page() -> Iterator["Page"]:
    with chromium() as browser:
        yield browser.new_page(viewport={"width": WIDTH, "height": 1000})


class Looking:
    """A page that notes what it must not do."""

    def __init__(self, page: "Page") -> None:
        self.page, self.misdeeds = page, list[str]()
        page.on("dialog", lambda dialog: (self.misdeeds.append(dialog.message), dialog.dismiss()))
        page.on(
            "request", lambda asked: self.misdeeds.append(asked.url) if "//e.example" in asked.url else None
        )

    def at(self, address: str, shows: str) -> None:
        """Open a page, wait until it shows a text, and check that nothing in it works, leads away or is loaded."""
        self.page.goto(address)
        self.page.get_by_text(shows).first.wait_for(timeout=60_000)
        self.page.wait_for_timeout(500)
        assert self.misdeeds == []
        assert self.page.title() != "taken"
        for away in (
            "a[href*='//e.example'], a[href^='mailto'], a[href*='www.e.example']",
            "a[href^='javascript']",
            "img[src*='//e.example']",
            "iframe",
            "main svg[onload]",
        ):
            assert self.page.locator(away).count() == 0, (address, away)


def test_nothing_of_them_works_leads_away_or_is_loaded(
    prefect_client: Callable[[], AbstractContextManager[object]],
    prefect_environment: dict[str, str],
    database: Engine,
    tmp_path: Path,
    page: "Page",
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    kept = (
        "filter.run_on=false",
        "filter.empty=false",
        "filter.near_duplicates=null",
        "trainer.max_length=2048",
    )
    config = small_config(database, tmp_path, "iterations=1", "generator.type=custom", *kept)
    own = {"path": f"{tmp_path}/own.py:Own", "options": {"mark": HOSTILE}}
    generator = type(config.generator).model_validate({**config.generator.model_dump(), "custom": own})
    with prefect_client():
        run_flow(config.model_copy(update={"generator": generator}), NAME)

    looking = Looking(page)
    (report,) = tmp_path.glob("runs/*/report/report.html")
    looking.at(report.as_uri(), "Samples")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
    keep_screenshot(page, "hostile-report")
    api = prefect_environment["PREFECT_API_URL"]
    like = {"artifacts": {"key": {"like_": f"{names.key(NAME, '')}%"}}}
    artifacts = httpx.post(f"{api}/artifacts/filter", json=like).json()
    assert len(artifacts) == 3
    for artifact in artifacts:
        address = f"{api.removesuffix('/api')}/artifacts/artifact/{artifact['id']}"
        looking.at(address, artifact["key"])
        keep_screenshot(page, f"hostile-{artifact['type']}")
    looking.at(f"{api.removesuffix('/api')}/runs/flow-run/{artifacts[0]['flow_run_id']}", "Completed")
