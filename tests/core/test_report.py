"""A report's records, summary and texts."""

import json
import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from adastar_core.compute import StageTokens
from adastar_core.machine import units
from adastar_core.records import Accuracy, Choice, Outcome
from adastar_core.report.controls import controls
from adastar_core.report.records import DifficultySummary, RunReport, StageSummary
from adastar_core.report.summary import summary, summary_text
from adastar_core.report.text import (
    cost_cells,
    cost_headings,
    escape,
    facts,
    headline,
    markdown,
    table,
    worst,
)
from adastar_core.store.measured import Answered
from adastar_core.store.samples import Given, Sample, SampleGroup
from tests.support.reports import (
    BEFORE_ANYTHING,
    EVERY_REPORT,
    FAILED,
    HOSTILE,
    NOTHING_ACCEPTED,
    REPORT,
    ROWS,
    SAMPLES,
    STAGES,
    page,
    page_of,
)

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
        "certain_training_share",
        "certain_pflops",
        "certain_left_out",
        "base_validation_right",
        "calibration",
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
        "mislabelled_visit_share": None,
        "mislabelled_accepted_share": None,
        "warnings": [],
        "certain": None,
        "left_out": None,
        "certain_share": None,
        "validation_right": None,
    }
    assert (values["test_accuracy"], values["base_test_accuracy"], values["seed"]) == (0.774, 0.677, 7)


def test_what_training_spent_on_the_near_certain_is_weighed_by_what_each_iteration_cost() -> None:
    training = tuple(
        replace(stage, stage="finetune", pflops=pflops)
        for stage, pflops in zip(STAGES, (3.0, 2.0, 1.0), strict=True)
    )
    shares = ((5, 0, 0.0), (9, 2, 0.5), (7, 1, 0.8))
    rows = tuple(
        replace(row, certain=certain, left_out=left, certain_share=share)
        for row, (certain, left, share) in zip(ROWS, shares, strict=True)
    )
    report = replace(REPORT, iterations=rows, stages=(*STAGES, *training))
    values = summary(report)
    assert values["certain_pflops"] == pytest.approx(1.8)
    assert (values["certain_training_share"], values["certain_left_out"]) == (pytest.approx(0.3), 3)
    assert ("training on near-certain rationales", "30.0 % of its compute, 1.80 PFLOPs; 3 left out") in facts(
        report
    )
    assert summary(REPORT)["certain_training_share"] is None


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
    assert escape("HTTP://a.b www.c.d e@f.g 1:2") == r"HTTP\://a.b www\.c.d e\@f.g 1:2"
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
