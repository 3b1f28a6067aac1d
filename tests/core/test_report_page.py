"""A report's figures and its page."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure as Canvas
from matplotlib.image import imread

from adastar_core.compute import StageTokens
from adastar_core.records import Ending
from adastar_core.report.figures import (
    _accuracy_by_compute,
    _by_difficulty,
    _trained_frequency,
    figures,
)
from adastar_core.report.page import html
from adastar_core.report.records import RunReport, StageSummary
from adastar_core.report.text import (
    markdown,
)
from tests.support.reports import (
    BEFORE_ANYTHING,
    EVERY_REPORT,
    FAILED,
    HOSTILE,
    HOSTILE_SAMPLE,
    NOTHING_ACCEPTED,
    ONE_ITERATION,
    REPORT,
    ROWS,
    SAMPLES,
    page,
    page_of,
)

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, PROGRAMS)), None)


# Figures


def test_the_figures_are_real_images() -> None:
    drawn = figures(REPORT)
    assert [figure.name for figure in drawn] == [
        "accuracy-by-compute",
        "accuracy-by-difficulty",
        "trained-frequency",
    ]
    for figure in drawn:
        pixels = imread(BytesIO(figure.png))
        assert pixels.shape[:2] == (540, 960)
        assert len({tuple(pixel) for pixel in pixels[::9, ::9].reshape(-1, pixels.shape[2])}) > 5
        assert ElementTree.fromstring(figure.svg).tag.endswith("svg")


def test_figures_are_the_same_every_time() -> None:
    once, again = ([(one.svg, one.png) for one in figures(REPORT)] for _ in range(2))
    assert once == again


@pytest.mark.parametrize(
    ("report", "names"),
    [
        (BEFORE_ANYTHING, ["accuracy-by-compute"]),
        (NOTHING_ACCEPTED, ["accuracy-by-compute", "accuracy-by-difficulty", "trained-frequency"]),
    ],
)
def test_figures_are_left_out_where_there_is_nothing_to_draw(report: RunReport, names: list[str]) -> None:
    assert [figure.name for figure in figures(report)] == names


@pytest.mark.parametrize("label", ["$\\frac{", "难题", "a" * 500, "", "<b>"])
def test_any_difficulty_can_be_a_label(label: str) -> None:
    rows = (replace(REPORT.by_difficulty[0], difficulty=label), REPORT.by_difficulty[1])
    assert [one.svg[:5] for one in figures(replace(REPORT, by_difficulty=rows))] == [b"<?xml"] * 3


@pytest.mark.parametrize("report", [BEFORE_ANYTHING, NOTHING_ACCEPTED, ONE_ITERATION, REPORT])
def test_axes_show_no_negative_work_and_no_half_observations(report: RunReport) -> None:
    for paint in (_accuracy_by_compute, _by_difficulty, _trained_frequency):
        canvas = Canvas()
        paint(report, canvas)
        canvas.canvas.draw()
        (axes,) = canvas.axes
        if paint is _accuracy_by_compute:
            assert axes.get_xlim()[0] == 0
            assert axes.get_xlim()[1] > 0
        if paint is _trained_frequency:
            for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
                ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
                assert ticks
                assert all(tick == int(tick) for tick in ticks)


# The page


def test_the_page_fits_a_window_of_1280_pixels_without_scrolling_sideways() -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on the path")
    large = replace(ROWS[0], beta=1_234_567, m=12_345_678, accepted=1_234_567, surplus=123_456, rejected=123_456,
                    stamped=1_234_567, seconds=123_456.0)  # fmt: skip
    stage = StageSummary(
        1, "evaluate validation by self-consistency", StageTokens(*[9_876_543_210] * 6), 1.0, 2.0, 3.0, 1e5
    )
    report = replace(
        FAILED,
        iterations=(large, *ROWS[1:]),
        stages=(stage,),
        by_difficulty=(replace(REPORT.by_difficulty[0], difficulty="x" * 300),),
        samples=tuple(
            replace(group, samples=(replace(HOSTILE_SAMPLE, question="y" * 3_000),)) for group in SAMPLES
        ),
    )
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 1280, "height": 900})
        shown.set_content(page(report))
        widths = shown.eval_on_selector_all(
            ".wide", "all => all.map(one => [one.scrollWidth, one.clientWidth])"
        )
        assert len(widths) == 3
        assert all(needed <= there for needed, there in widths), widths
        assert shown.evaluate("document.documentElement.scrollWidth") <= 1280
        if folder := os.environ.get("ADASTAR_TEST_SCREENSHOTS"):
            shown.screenshot(path=str(Path(folder) / "report.png"), full_page=True)
        browser.close()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "onerror")]


def _parse(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    return parser


def test_the_page_is_self_contained() -> None:
    found = _parse(page_of(REPORT))
    assert found.tags.count("img") == 3
    assert all(link.startswith("data:image/svg+xml;base64,") for link in found.links)
    assert not {"script", "link", "iframe"} & set(found.tags)
    assert "url(" not in page_of(REPORT)


def test_the_page_shows_the_result() -> None:
    page = page_of(REPORT)
    for text in (
        "77.4 %",
        "+9.7 points, from 67.7 %",
        "2 min 48 s",
        "/data/runs/quick/checkpoints/3",
        "Test was measured once.",
    ):
        assert text in page


@EVERY_REPORT
def test_the_page_is_the_same_every_time_and_closes_what_it_opens(report: RunReport) -> None:
    page = page_of(report)
    assert page == html(report, figures(report))
    for tag in ("div", "table", "tr", "td", "figure", "dl", "pre", "details"):
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


def test_hostile_text_stays_text_everywhere() -> None:
    hostile = replace(
        REPORT,
        run=HOSTILE,
        preset=HOSTILE,
        problem=HOSTILE,
        method=HOSTILE,
        base_model=HOSTILE,
        checkpoint=HOSTILE,
        by_difficulty=(replace(REPORT.by_difficulty[0], difficulty=HOSTILE),),
        notes=(HOSTILE,),
        ending=Ending("failed", HOSTILE),
        samples=tuple(replace(group, samples=(HOSTILE_SAMPLE,)) for group in SAMPLES),
    )
    found, plain = _parse(page_of(hostile)), _parse(page_of(FAILED))
    assert found.tags.count("img") == plain.tags.count("img")
    assert set(found.tags) == set(plain.tags)
    assert all(link.startswith("data:image/svg+xml;base64,") for link in found.links)
    assert "{{ 7*7 }}" in page_of(hostile)
    for text in (page_of(hostile), markdown(hostile)):
        assert not re.search("[\u202a-\u202e\x00-\x09\x0b-\x1f\x9b]", text)
    assert r"\u202e" in page_of(hostile)
    assert "<script" not in markdown(hostile)
    benign = replace(FAILED, by_difficulty=FAILED.by_difficulty[:1])
    assert len(markdown(hostile).splitlines()) == len(markdown(benign).splitlines())


def test_reporting_needs_no_torch() -> None:
    script = (
        "import sys; from adastar_core.report import figures, page, summary, text; "
        "assert not {'torch', 'transformers', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
