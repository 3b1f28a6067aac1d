"""Write the pictures of ``docs/ui.md``: what headless Chromium shows of a served database.

::

    adastar ui                                                    # prints ADDRESS
    python -m scripts.write_ui_images ADDRESS --pair 1,2 --run 3
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
def main(address: str, *, pair: str, run: int, iteration: int = 1) -> None:
    """Write the pictures.

    Args:
        address: What adastar ui printed.
        pair: Numbers of two runs to show side by side.
        run: Number of the run that is shown closely.
        iteration: Of its attempt that is shown.
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
        light.goto(f"{base}/runs/{run}")
        keep(light, "run")
        light.goto(f"{base}/runs/{run}/iterations/{iteration}?kind=trained")
        light.locator("a[id^=a-]").nth(2).click()
        light.locator("#response").wait_for()
        keep(light, "rollout")
        light.goto(f"{base}/runs/{run}/answers/validation")
        light.locator("td.name a").first.click()
        light.locator("#sides").wait_for()
        keep(light, "answers")
        dark.goto(f"{base}/runs/{first}/observations?sort=win-rate")
        keep(dark, "observations")


if __name__ == "__main__":
    app()
