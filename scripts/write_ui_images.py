"""Write the pictures of ``docs/ui.md``: what headless Chromium shows of a served database.

::

    adastar ui                                                    # prints ADDRESS
    python -m scripts.write_ui_images ADDRESS --pair 1,2 --attempt 3/1/0/1
"""

from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from tests.support.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).parents[1] / "docs" / "images"
app = App(help_format="plaintext", version_flags=[])


@app.default
def main(address: str, *, pair: str, attempt: str) -> None:
    """Write the pictures.

    Args:
        address: What adastar ui printed.
        pair: Numbers of two runs to show side by side; the first is shown closely.
        attempt: Run, iteration, position and attempt of the one that is shown, with slashes between them.
    """
    base, first = address.partition("/?")[0], pair.split(",")[0]
    with chromium() as browser:
        light, dark = browser.new_page(color_scheme="light"), browser.new_page(color_scheme="dark")
        for page in (light, dark):
            page.set_viewport_size({"width": 1280, "height": 860})
            page.goto(address)

        def keep(page: "Page", name: str) -> None:
            page.screenshot(path=IMAGES / f"ui-{name}.png")

        light.goto(f"{base}/?{'&'.join(f'run={number}' for number in pair.split(','))}")
        keep(light, "runs")
        light.goto(f"{base}/runs/{first}")
        keep(light, "run")
        run, iteration, position, number = attempt.split("/")
        light.goto(f"{base}/runs/{run}/iterations/{iteration}/{position}/{number}")
        keep(light, "rollout")
        light.goto(f"{base}/runs/{first}/answers/validation")
        light.locator("td.name a").first.click()
        light.locator("#sides").wait_for()
        keep(light, "answers")
        dark.goto(f"{base}/runs/{first}/observations?sort=win-rate")
        keep(dark, "observations")


if __name__ == "__main__":
    app()
