"""A headless Chromium that reaches this machine only, for tests that look at pages as people do.

Needs Chromium (Debian's chromium-headless-shell, or any Chromium on the path) and the ``playwright`` package.
``ADASTAR_TEST_SCREENSHOTS=FOLDER`` keeps what was seen, as it is in docs/images/.
"""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, PROGRAMS)), None)
_PIXELS, _COLOURS = 1080, 64
SCREENSHOTS = os.environ.get("ADASTAR_TEST_SCREENSHOTS")


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Yield a fresh browser; skip the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on the path")
    with playwright.sync_playwright() as driver:
        options = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


def keep_screenshot(page: "Page", name: str, *, height: int | None = None) -> None:
    """Keep what the page shows, or its upper part, if that was asked for: small, because it is committed."""
    if SCREENSHOTS:
        from PIL import Image

        seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        seen = seen.crop((0, 0, seen.width, height or seen.height))
        seen = seen.resize((_PIXELS, round(seen.height * _PIXELS / seen.width)), Image.Resampling.LANCZOS)
        shown = seen.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
        shown.save(Path(SCREENSHOTS) / f"{name}.png", optimize=True)
