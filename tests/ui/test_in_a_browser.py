"""A person's view: headless Chromium opens the pages, whatever a model or a user has written into them."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, text

from adastar_core.ui.site import Site
from tests.cli.conftest import owned
from tests.support.browser import keep_screenshot
from tests.ui.conftest import Served, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

WIDTH = 1280
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:alert(3)'>javascript:alert(4)</a>"
    "</pre></td></title></textarea><svg onload=alert(5)><b hx-get='/runs/1' hx-trigger='load'>"
    "<meta http-equiv=refresh content='0;url=http://example.com'>"
    "\"'`{{7*7}}{% raw %}${7*7}&lt;&#60; http://example.com/a.png \u202egnp.exe\u2066 \u200f\x1b[31m\n#### 7"
)
PAGES = (
    "/", "/?run=1", "/runs/1", "/runs/1/iterations/1", "/runs/1/iterations/1/0/1", "/runs/1/observations",
    "/runs/1/observations/0", "/runs/1/observations/0?left=1&right=1", "/runs/1/checkpoints/1", "/runs/1/answers/validation?right=3&change=all",
    "/runs/1/answers/validation/0?left=0&right=3", "/runs/9", "/runs/1/find?observation=%3Cscript%3Ealert(1)%3C/script%3E",
)  # fmt: skip


class Watched:
    """A page, and what it did that it must not: dialogs, errors, requests to elsewhere."""

    def __init__(self, page: "Page", served: Served) -> None:
        self.page, self.base = page, served.base
        self.misdeeds: list[str] = []
        page.on("dialog", self._asked_back)
        page.on("pageerror", lambda error: self.misdeeds.append(f"error {error}"))
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("request", lambda request: self._asked(request.url))
        page.goto(served.address)

    def _asked_back(self, dialog: "Dialog") -> None:
        self.misdeeds.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def _said(self, kind: str, what: str) -> None:
        if kind in ("error", "warning") and "status of 4" not in what and "status of 503" not in what:
            self.misdeeds.append(f"{kind} {what}")

    def _asked(self, url: str) -> None:
        if not url.startswith(f"{self.base}/"):
            self.misdeeds.append(f"request {url}")

    def goto(self, address: str) -> "Page":
        self.page.goto(self.base + address)
        return self.page


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    context = browser.new_context(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
    yield context.new_page()
    context.close()


def fill_with(engine: Engine, hostile: str) -> None:
    """Put a text wherever a model, a user or the data writes."""
    short = hostile[:100]
    with engine.begin() as connection:
        for statement in (
            "UPDATE runs SET name = :text, base_model = :text, code_version = :text, owner = :text, failure = :text",
            "UPDATE runs SET config = config || jsonb_build_object(CAST(:text AS text), CAST(:text AS text))",
            "UPDATE observations SET question = :text, answer = :text, difficulty = :short, "
            "observation_id = concat(position, :text), choices = jsonb_build_array(jsonb_build_array(:short, :text))",
            "UPDATE evaluation_items SET question = :text, answer = :text, observation_id = concat(position, :text)",
            "UPDATE rollouts SET response = :text",
            "UPDATE verdicts SET extracted = :short, reason = :text, found_by = :short, rejected_because = :text",
            "UPDATE evaluation_answers SET response = :text, extracted = :short, verifier = :text",
            "UPDATE owners SET owner = :text, code_version = :text, started_by = :text, deployment = :text",
            "UPDATE checkpoints SET path = :text",
            "INSERT INTO incidents VALUES (1, 1, 'a kind', 1, :text, now())",
        ):
            connection.execute(text(statement), {"text": hostile, "short": short})


def test_hostile_texts_are_texts(page: "Page", own_site: Site) -> None:
    fill_with(own_site.engine, HOSTILE)
    with serving(own_site) as served:
        watched = Watched(page, served)
        for address in PAGES:
            watched.goto(address)
            page.wait_for_timeout(50)
            assert page.url == served.base + address
            assert page.locator("script").count() == 1, address
            assert (
                page.locator("main img, main script, main [onload], main [onerror], main b[hx-get]").count()
                == 0
            )
            links = page.locator("a").evaluate_all("all => all.map(link => link.protocol + link.host)")
            assert set(links) == {served.base.replace("//", "", 1)}, address
        assert watched.misdeeds == []
        shown = watched.goto("/runs/1/iterations/1/0/1").locator("#response pre").inner_text()
        for sign in ("\u202e", "\u2066", "\u200f", "\x1b"):
            shown = shown.replace(f"U+{ord(sign):04X}", sign)
        assert shown == HOSTILE
        keep_screenshot(page, "ui-hostile")


def test_a_megabyte_is_shown_in_part_and_given_in_whole(page: "Page", own_site: Site) -> None:
    long = "x" * 999_000 + " <script>alert(1)</script>\n#### 7"
    with own_site.engine.begin() as connection:
        connection.execute(text("UPDATE rollouts SET response = :text WHERE position = 0"), {"text": long})
        connection.execute(
            text("UPDATE verdicts SET extracted = '7', found_by = '#### X' WHERE position = 0")
        )
    with serving(own_site) as served:
        watched = Watched(page, served)
        response = watched.goto("/runs/1/iterations/1/0/1").locator("#response pre")
        assert response.locator("mark").inner_text() == "7"
        assert "characters left out" in response.inner_text()
        assert len(response.inner_text()) < 110_000
        assert fits(page)
        page.get_by_role("link", name="As plain text").click()
        assert page.locator("body").inner_text() == long
        assert watched.misdeeds == []
        watched.goto("/runs/1/iterations/1")
        assert fits(page)


def fits(page: "Page") -> bool:
    """Return whether nothing is wider than the window."""
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return width <= WIDTH


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_and_can_be_read_in_both_colour_schemes(
    browser: "Browser", served: Served, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    watched = Watched(context.new_page(), served)
    for address in PAGES:
        page = watched.goto(address)
        assert fits(page), address
        faint = page.evaluate(FAINT)
        assert faint == [], address
    assert watched.misdeeds == []
    context.close()


# Texts whose contrast with what lies behind them is below 4.5, the level AA of WCAG.
FAINT = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (; element; element = element.parentElement) {
            const colour = numbers(getComputedStyle(element).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const element of document.querySelectorAll("body *:not(option, title)")) {
        if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
        const style = getComputedStyle(element);
        const inSvg = element.closest("svg");
        const [a, b] = [light(numbers(inSvg ? style.fill : style.color)), light(behind(element))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) found.push(element.outerHTML.slice(0, 120));
    }
    return found;
}"""


def test_pages_are_walked_with_the_keyboard(page: "Page", served: Served) -> None:
    watched = Watched(page, served)
    for name, there in (
        ("mine", "/runs/1"),
        ("1", "/runs/1/iterations/1"),
    ):  # the run, then its first iteration
        link = page.locator("main").get_by_role("link", name=name, exact=True).first
        for _ in range(60):
            page.keyboard.press("Tab")
            if link.evaluate("link => link === document.activeElement"):
                break
        assert link.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url(served.base + there)
    page.go_back()
    page.wait_for_url(f"{served.base}/runs/1")
    assert watched.misdeeds == []


def test_a_running_run_is_shown_live(page: "Page", own_site: Site) -> None:
    engine = own_site.engine
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET status = 'running'"))
        connection.execute(text("UPDATE iterations SET phase = 'sampling', beta = 5000 WHERE iteration = 3"))
    with owned(engine), serving(own_site) as served:
        watched = Watched(page, served)
        watched.goto("/runs/1")
        kept = re.compile(r"([\d,]+) of 5,000 rationales are right")
        before = kept.search(page.locator("main").inner_text())
        assert before is not None
        page.evaluate("window.sameDocument = true")
        page.locator("#i-1").focus()
        with engine.begin() as connection:
            connection.execute(text(MORE_ATTEMPTS))
        page.get_by_text(f"{int(before[1]) + 20} of 5,000").wait_for()
        assert page.evaluate("window.sameDocument"), "only a part is loaded again"
        assert page.evaluate("document.activeElement.id") == "i-1", "who walks with the keyboard stays there"
        keep_screenshot(page, "ui-live")
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET status = 'finished'"))
        connection.execute(text("UPDATE iterations SET phase = 'advanced'"))
    assert watched.misdeeds == []


MORE_ATTEMPTS = """
    WITH more AS (
        INSERT INTO rollouts SELECT run_id, iteration, position, attempt + 1000, hinted, stream, prompt_tokens,
            padded_prompt_tokens, generated_tokens, padded_generated_tokens, seconds, finish_reason, checkpoint_sha256,
            prompt_sha256, response
        FROM rollouts WHERE iteration = 3 AND attempt = 1 ORDER BY position LIMIT 20 RETURNING *
    )
    INSERT INTO verdicts (run_id, iteration, position, attempt, verifier, outcome, found_by, reason)
    SELECT run_id, iteration, position, attempt, (SELECT verifier FROM iterations WHERE iteration = 3), 'right', '', ''
    FROM more
"""


def test_a_page_stops_asking_when_the_run_has_ended(page: "Page", own_site: Site) -> None:
    engine = own_site.engine
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET status = 'running'"))
    with serving(own_site) as served:
        watched = Watched(page, served)
        with owned(engine):
            page.reload()
            assert page.locator("#live[hx-get]").count() == 1
            with engine.begin() as connection:
                connection.execute(text("UPDATE runs SET status = 'finished'"))
            page.locator("#live:not([hx-get])").wait_for()
        assert "finished" in page.locator("main").inner_text()
        assert watched.misdeeds == []
