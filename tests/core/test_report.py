import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from io import BytesIO, StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure as Canvas
from matplotlib.image import imread
from rich.console import Console

from adastar_core.compute import StageTokens
from adastar_core.machine import units
from adastar_core.records import Accuracy, Choice, Ending, Outcome
from adastar_core.report.controls import controls
from adastar_core.report.figures import (
    _accuracy_by_compute,
    _by_difficulty,
    _trained_frequency,
    figures,
)
from adastar_core.report.page import html
from adastar_core.report.records import DifficultySummary, IterationSummary, RunReport, StageSummary
from adastar_core.report.summary import summary, summary_text
from adastar_core.report.text import cost_cells, cost_headings, escape, headline, markdown, table, worst
from adastar_core.store.measured import Answered
from adastar_core.store.samples import KINDS, Given, Sample, SampleGroup

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, PROGRAMS)), None)
ROWS = tuple(
    IterationSummary(
        t=t,
        beta=1000 + 100 * t,
        m=1500 + 100 * t,
        accepted=1000 + 100 * t,
        surplus=37,
        alpha=0.7 + t / 100,
        stamped=800 + 10 * t,
        first_try_accuracy=0.61,
        false_positive_share=0.0712,
        validation=Accuracy(340 + 15 * t, 500),
        pflops=4e-6 * t,
        padded_pflops=5e-6 * t,
        seconds=25.5,
    )
    for t in (1, 2, 3)
)
STAGES = tuple(
    StageSummary(row.t, "generate first", StageTokens(), row.pflops, row.padded_pflops, 0.0, row.seconds)
    for row in ROWS
)
REPORT = RunReport(
    run="quick",
    preset="quickstart",
    config_sha256="ab" * 32,
    problem="arithmetic",
    method="adastar",
    base_model="tiny-adder",
    seed=7,
    base_validation=Accuracy(340, 500),
    base_test=Accuracy(677, 1000),
    test=Accuracy(774, 1000),
    best_iteration=3,
    wall_seconds=168.3,
    checkpoint="/data/runs/quick/checkpoints/3",
    iterations=ROWS,
    by_difficulty=(
        DifficultySummary("1", Accuracy(100, 100), Accuracy(100, 100)),
        DifficultySummary("6", Accuracy(0, 100), Accuracy(24, 100)),
    ),
    trained_frequency=(10, 20, 10),
    stages=STAGES,
    notes=("Test was measured once.",),
)
BEFORE_ANYTHING = replace(
    REPORT,
    iterations=(),
    stages=(),
    base_test=None,
    test=None,
    best_iteration=0,
    by_difficulty=(),
    trained_frequency=(),
    notes=(),
)
NOTHING_ACCEPTED = replace(
    BEFORE_ANYTHING,
    base_validation=Accuracy(0, 500),
    iterations=(IterationSummary(1, 1000, 8000, 0, 0, 0.0, 0, 0.0, None, None, 0.0, 0.0, 12.0),),
    by_difficulty=(DifficultySummary("?", Accuracy(0, 0), Accuracy(0, 0)),),
    trained_frequency=(8000,),
)
SAMPLES = tuple(
    SampleGroup(
        kind, 7, (Sample("a", "1+1", "2", Given("wrong", "3", "I say 3"), Given("right", None, "or 2")),)
    )
    for kind in KINDS
)
ONE_ITERATION = replace(REPORT, iterations=ROWS[:1], best_iteration=1, trained_frequency=(5,))
FAILED = replace(REPORT, ending=Ending("failed", "The disk is full."), samples=SAMPLES)
EVERY_REPORT = pytest.mark.parametrize(
    "report", [REPORT, BEFORE_ANYTHING, NOTHING_ACCEPTED, ONE_ITERATION, FAILED]
)
HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(1)> | [a](javascript:alert(1)) `code` *b* $x$ "' {{ 7*7 }}\n# h \u202e\x1b[31m\x9b"""
HOSTILE_SAMPLE = Sample(
    HOSTILE, HOSTILE, HOSTILE, Given("wrong", HOSTILE, HOSTILE), Given("wrong", HOSTILE, HOSTILE)
)


def page(report: RunReport) -> str:
    return html(report, figures(report))


page_of = cache(page)


# Records


def test_an_accuracy_has_a_binomial_interval() -> None:
    low, high = Accuracy(677, 1000).interval() or (0.0, 0.0)
    assert (round(low, 4), round(high, 4)) == (0.6474, 0.7053)
    assert Accuracy(0, 10).interval() == pytest.approx((0.0, 0.27753), abs=1e-5)
    assert Accuracy(677, 1000).share == 0.677


def test_an_accuracy_of_nothing_is_unknown() -> None:
    assert Accuracy(0, 0).share is None
    assert Accuracy(0, 0).interval() is None


def test_totals_follow_from_the_rows() -> None:
    assert REPORT.total_pflops == pytest.approx(24e-6)
    assert REPORT.total_padded_pflops == pytest.approx(30e-6)
    assert replace(REPORT, iterations=ROWS[:2]).total_pflops == REPORT.total_pflops
    assert REPORT.selected_validation == ROWS[2].validation
    assert replace(REPORT, best_iteration=0).selected_validation == REPORT.base_validation
    assert REPORT.trained_frequency_deviation == pytest.approx(0.5**0.5)
    assert BEFORE_ANYTHING.trained_frequency_deviation is None


def test_costs_are_summed_by_kind_with_evaluation_last() -> None:
    work = (
        ("evaluate validation", StageTokens(prompt_tokens=5, generated_tokens=7), 1e-6),
        ("generate first", StageTokens(prompt_tokens=1_000, generated_tokens=2_000), 4e-6),
        ("finetune", StageTokens(train_tokens=300), 2e-6),
        ("generate first", StageTokens(prompt_tokens=1_000, generated_tokens=500), 3e-6),
    )
    rows = tuple(StageSummary(1, kind, tokens, cost, 2 * cost, cost / 10, 1.0) for kind, tokens, cost in work)
    report = replace(REPORT, stages=rows)
    assert cost_headings(report)[4:7] == ("GFLOPs", "padded GFLOPs", "attention GFLOPs")
    assert cost_cells(report) == [
        ("generate first", "2,000", "2,500", "0", "7.00", "14.0", "0.700", "2.0 s"),
        ("finetune", "0", "0", "300", "2.00", "4.00", "0.200", "1.0 s"),
        ("evaluate validation", "5", "7", "0", "1.00", "2.00", "0.100", "1.0 s"),
    ]
    assert "| generate first | 2,000 | 2,500 |" in markdown(report)
    assert "<td>generate first</td><td>2,000</td>" in page(report)
    assert "Compute by stage" not in page(replace(REPORT, stages=()))


# Units


@pytest.mark.parametrize(
    ("pflops", "text"),
    [
        (0.0, "0.00 FLOPs"),
        (4.5e-6, "4.50 GFLOPs"),
        (0.9997, "1,000 TFLOPs"),
        (174.4, "174 PFLOPs"),
        (9663.0, "9.66 EFLOPs"),
    ],
)
def test_costs_have_a_unit_that_suits(pflops: float, text: str) -> None:
    assert units.flops(pflops) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.44, "8.4 s"),
        (59.96, "1 min 00 s"),
        (155, "2 min 35 s"),
        (3599.7, "1 h 00 min"),
        (11100, "3 h 05 min"),
    ],
)
def test_times_are_readable(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


def test_what_is_unknown_is_a_dash() -> None:
    assert {
        units.percent(None),
        units.accuracy(None),
        units.accuracy(Accuracy(0, 0)),
        units.points(None, None),
    } == {"–"}


# The summary


def test_the_summary_has_the_names_of_its_contract() -> None:
    values = json.loads(summary_text(REPORT))
    assert list(values) == [
        "run",
        "preset",
        "config_sha256",
        "problem",
        "method",
        "base_model",
        "seed",
        "base_validation_accuracy",
        "base_test_accuracy",
        "test_accuracy",
        "best_iteration",
        "total_pflops",
        "total_padded_pflops",
        "total_attention_pflops",
        "trained_frequency_deviation",
        "wall_seconds",
        "checkpoint",
        "iterations",
        "compute",
        "items_sha256",
        "base_controls",
        "controls",
        "base_as_sampled",
        "warnings",
    ]
    assert values["iterations"][0] == {
        "t": 1,
        "beta": 1100,
        "m": 1600,
        "accepted": 1100,
        "rejected": 0,
        "undecided": 0,
        "surplus": 37,
        "alpha": 0.71,
        "stamped": 810,
        "first_try_accuracy": 0.61,
        "false_positive_share": 0.0712,
        "validation_accuracy": 0.71,
        "pflops": 4e-6,
        "padded_pflops": 5e-6,
        "attention_pflops": 0.0,
        "test_accuracy": None,
        "seconds": 25.5,
        "controls": None,
        "classes": [],
        "lucky_share": None,
        "warnings": [],
    }
    assert (values["test_accuracy"], values["base_test_accuracy"], values["seed"]) == (0.774, 0.677, 7)


def test_a_summary_of_nothing_is_valid_json() -> None:
    assert json.loads(summary_text(NOTHING_ACCEPTED))["iterations"][0]["validation_accuracy"] is None
    assert summary(BEFORE_ANYTHING)["test_accuracy"] is None


# Text


def _terminal(report: RunReport, width: int = 80) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(table(report, width))
    return console.export_text()


def test_the_table_fits_eighty_columns_uncut() -> None:
    text = _terminal(REPORT)
    assert "…" not in text
    assert re.search(
        r"^3 1,300 1,800 +1,300 +37 0\.730 +830 +61\.0 +7\.1 +77\.0 +12\.0 25\.5 s", text, re.MULTILINE
    )


@pytest.mark.parametrize("width", [36, 45, 60, 79, 120])
def test_a_narrow_table_leaves_columns_out_and_cuts_no_number(width: int) -> None:
    large = replace(REPORT, iterations=(replace(ROWS[0], rejected=1_234_567, m=12_345_678), *ROWS[1:]))
    for report in (REPORT, large):
        lines = _terminal(report, width).splitlines()
        assert all("…" not in line and len(line) <= width for line in lines)
        assert all(
            re.search(r"^3 .*77\.0 +12\.0 25\.5 s$", line.rstrip()) for line in lines if line[:1] == "3"
        )
        assert any(line[:1] == "3" for line in lines)


def test_rejections_have_a_column_where_there_are_any() -> None:
    rejecting = replace(REPORT, iterations=(replace(ROWS[0], rejected=412), *ROWS[1:]))
    text = _terminal(rejecting)
    assert "…" not in text
    assert re.search(r"^1 1,100 1,600 +1,100 +412 +37 0\.710", text, re.MULTILINE)
    lines = markdown(rejecting).splitlines()
    assert [line.count("|") for line in lines if line.startswith("|")] == [14] * 6 + [6] * 4 + [9] * 3
    assert "rej." not in markdown(REPORT)


def test_the_headline_states_the_result_on_test_with_its_interval() -> None:
    assert headline(REPORT) == (
        "Test accuracy 67.7 % (64.7–70.5) → 77.4 % (74.7–79.9) of 1,000 questions, +9.7 points "
        "(validation selected iteration 3), for 24.0 GFLOPs and 2 min 48 s."
    )


def test_the_worst_is_named_first() -> None:
    assert worst(REPORT) is None
    assert worst(FAILED) == "The run failed: The disk is full."
    rows = (
        DifficultySummary("4", Accuracy(50, 100), Accuracy(49, 100)),
        DifficultySummary("5", Accuracy(90, 100), Accuracy(40, 100)),
    )
    said = "Difficulty 5 got worse: 90.0 % → 40.0 % of 100 questions."
    assert worst(replace(REPORT, by_difficulty=rows)) == said
    for text in (markdown(replace(REPORT, by_difficulty=rows)), page(replace(REPORT, by_difficulty=rows))):
        assert said in text
    assert worst(replace(REPORT, by_difficulty=rows[:1])) == (
        "Difficulty 4 got worse: 50.0 % → 49.0 % of 100 questions, which may be chance."
    )
    assert worst(replace(REPORT, samples=SAMPLES)) == (
        "7 of 35 questions that were right before training are not any more, and 7 are right that were not."
    )


def test_samples_are_shown_with_their_verdicts_and_only_the_end_of_a_long_one() -> None:
    long = replace(SAMPLES[0].samples[0].after, response="x" * 5_000 + "END")
    report = replace(
        REPORT, samples=(replace(SAMPLES[0], samples=(replace(SAMPLES[0].samples[0], after=long),)),)
    )
    assert "  * before, wrong (3): I say 3" in markdown(report)
    for text in (markdown(report), page(report)):
        assert "Right before training, not any more" in text
        assert "xEND" in text
        assert "x" * 1_500 not in text


def test_the_headline_falls_back_to_validation() -> None:
    assert headline(replace(REPORT, base_test=None)).startswith("Validation accuracy 68.0 % (63.8–71.9) → ")
    assert headline(BEFORE_ANYTHING).startswith(
        "Validation accuracy 68.0 % (63.8–71.9) of 500 questions: that of the base model, which nothing was trained on yet, "
    )


def test_nothing_is_said_to_be_after_training_where_the_base_model_was_selected() -> None:
    rows = tuple(DifficultySummary(row.difficulty, row.before, row.before) for row in REPORT.by_difficulty)
    answer = Given("wrong", "3", "I say 3")
    groups = tuple(
        SampleGroup(kind, 7, (Sample("a", "1+1", "2", answer, answer),))
        for kind in ("wrong", "undecided", "kept")
    )
    choices = (Choice("A", "red"), Choice("B", "blue"))
    given = controls(
        [Answered("AB"[i % 2], choices, "A", Outcome("right" if i % 2 == 0 else "wrong")) for i in range(40)]
    )
    report = replace(
        REPORT,
        best_iteration=0,
        test=REPORT.base_test,
        by_difficulty=rows,
        samples=groups,
        base_controls=given,
        controls=given,
    )
    said = "Test accuracy 67.7 % (64.7–70.5) of 1,000 questions: that of the base model, which validation selected over 3 trained checkpoints"
    for text in (markdown(report), page_of(report), headline(report)):
        assert said in " ".join(text.split())
        assert "+0.0" not in text
        assert "→" not in text
    for text in (markdown(report), page_of(report)):
        assert not re.search(r"\b(after|before)\b", text.lower().replace("stop after", ""))
        assert text.count("I say 3") == 3


def test_markdown_holds_every_row() -> None:
    lines = markdown(REPORT).splitlines()
    assert "| 2 | 1,200 | 1,700 | 1,200 | 37 | 0.720 | 820 | 61.0 | 7.1 | 74.0 | 8.00 | 25.5 s |" in lines
    assert "| 6 | 100 | 0.0 % (0.0–3.7) | 24.0 % (16.7–33.2) | +24.0 |" in lines
    assert [line.count("|") for line in lines if line.startswith("|")] == [13] * 6 + [6] * 4 + [9] * 3


def test_only_a_run_from_a_preset_names_one() -> None:
    assert f"* preset: {REPORT.preset}" in markdown(REPORT)
    assert "preset" not in markdown(replace(REPORT, preset=""))


def test_markdown_shows_hostile_text_as_text() -> None:
    shown = escape(HOSTILE)
    assert "<" not in shown.replace("&lt;", "")
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)[|`*_#$\[\]]", shown)
    assert escape("1. first") == r"1\. first"
    assert escape("- item") == r"\- item"
    text = markdown(
        replace(
            REPORT,
            run=HOSTILE,
            notes=(HOSTILE,),
            by_difficulty=(replace(REPORT.by_difficulty[0], difficulty=HOSTILE),),
        )
    )
    assert "<script" not in text
    assert "<img" not in text


@EVERY_REPORT
def test_no_text_shows_a_number_that_is_none(report: RunReport) -> None:
    for text in (markdown(report), _terminal(report), headline(report), page_of(report)):
        assert not re.search(r"\b(nan|inf|None)\b", re.sub(r'src="data:[^"]*"', "", text))


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
