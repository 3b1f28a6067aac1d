"""The comparison's numbers on runs made up by hand, and its files."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from adastar_core.comparison import text
from adastar_core.comparison.figure import comparison_figure
from adastar_core.comparison.intervals import (
    compute_ratio,
    curve,
    estimate,
    holm,
    paired_difference,
    reached_at,
)
from adastar_core.comparison.member import Member, Point, read_member
from adastar_core.comparison.page import write_comparison
from adastar_core.comparison.table import compare_members
from adastar_core.config.methods import METHODS, MethodName
from adastar_core.errors import StageError


def member(method: MethodName, seed: int, *accuracies: tuple[float, float], cost: float = 1.0) -> Member:
    """A run whose iterations cost the same; accuracies are (validation, test), the base model's first."""
    points = tuple(
        Point(t, validation, test, t * cost, 2 * t * cost, 0.1 * t * cost)
        for t, (validation, test) in enumerate(accuracies)
    )
    return Member(method, seed, points, 0.5, 0.1)


MEMBERS = [
    member("adastar", 0, (0.5, 0.50), (0.60, 0.61), (0.70, 0.69), (0.69, 0.72)),
    member("adastar", 1, (0.5, 0.50), (0.62, 0.60), (0.70, 0.71), (0.71, 0.73)),
    member("adastar", 2, (0.5, 0.50), (0.61, 0.62), (0.72, 0.70), (0.73, 0.74)),
    member("star-acc", 0, (0.5, 0.50), (0.66, 0.67), cost=4.0),
    member("star-acc", 1, (0.5, 0.50), (0.66, 0.70), cost=4.0),
    member("star-acc", 2, (0.5, 0.50), (0.66, 0.68), cost=4.0),
    member("sft", 0, (0.5, 0.50), (0.9, 0.9), cost=0.01),
]


def test_selection_looks_at_validation_alone_and_never_beyond_the_budget() -> None:
    run = MEMBERS[0]
    assert (run.selected("validation").t, run.selected("test").t) == (2, 3)
    assert run.selected("validation", pflops=1.5).t == 1
    assert run.selected("validation", pflops=0).t == 0
    assert member("adastar", 0, (0.5, 0.4), (0.5, 0.9)).selected("validation").t == 0


def test_runs_on_different_questions_are_not_compared() -> None:
    first, second = (replace(one, items_sha256=digest) for one, digest in zip(MEMBERS, "ab", strict=False))
    assert compare_members("older summaries", [first, *MEMBERS[1:]], "validation").members
    with pytest.raises(
        StageError, match="adastar with seed 0 and adastar with seed 1 were measured on different"
    ):
        compare_members("grown", [first, second, *MEMBERS[2:]], "validation")


def test_the_curve_steps_when_an_iteration_is_paid_for() -> None:
    accuracies = curve(MEMBERS[:2], [0, 0.99, 1, 3], "validation")
    assert accuracies.tolist() == [[0.50, 0.50, 0.61, 0.69], [0.50, 0.50, 0.60, 0.73]]


def test_rows_hold_means_intervals_and_paired_differences() -> None:
    comparison = compare_members("made up", MEMBERS, "validation")
    adastar, sft, star = comparison.rows
    assert [row.method for row in comparison.rows] == ["adastar", "sft", "star-acc"]
    assert adastar.accuracy.mean == pytest.approx((0.69 + 0.73 + 0.74) / 3)
    assert adastar.difference is None
    assert adastar.iteration == pytest.approx(8 / 3)
    assert (adastar.pflops, adastar.padded_pflops) == pytest.approx((8 / 3, 16 / 3))
    assert star.difference is not None
    assert star.difference.mean == pytest.approx(0.68333 - 0.72, abs=1e-4)
    assert star.difference.p is not None
    assert sft.difference is not None
    assert sft.difference.mean == pytest.approx(0.9 - 0.69)  # against the same seed alone
    assert sft.difference.p is None


def test_the_best_baseline_is_no_sft_row_and_is_reached_on_the_mean() -> None:
    comparison = compare_members("made up", MEMBERS, "validation")
    assert comparison.best_baseline == "star-acc"
    adastar, _, star = comparison.rows
    assert (adastar.reached, star.reached) == (2.0, 4.0)
    assert (adastar.saving, star.saving) == (0.5, 0.0)
    assert comparison.equal_pflops == 3.0
    assert star.equal_compute.mean == 0.5
    alone = compare_members("alone", MEMBERS[:3], "validation")
    assert (alone.best_baseline, alone.rows[0].reached) == (None, None)
    assert reached_at(MEMBERS[:3], 0.99, "validation") is None


def test_the_compute_to_adastars_mean_is_paired_by_seed() -> None:
    """AdaSTaR's mean is 0.72: its seeds 1 and 2 reach it after three iterations, seed 0 never, which counts with its three."""
    quick = [
        member("frontier", seed, (0.5, 0.5), (0.7, accuracy), (0.8, 0.74), cost=cost)
        for seed, accuracy, cost in ((0, 0.73, 1.5), (1, 0.72, 1.5), (2, 0.70, 0.6))
    ]
    adastar, frontier = compare_members("made up", [*MEMBERS[:3], *quick], "validation").rows
    assert adastar.ratio is None
    assert frontier.ratio is not None
    assert frontier.ratio.mean == pytest.approx((1.5 / 3 * 1.5 / 3 * 1.2 / 3) ** (1 / 3))
    assert frontier.ratio.low is not None
    assert frontier.ratio.high is not None
    assert 0 < frontier.ratio.low < frontier.ratio.mean < frontier.ratio.high
    short = member("frontier", 1, (0.5, 0.5), (0.7, 0.71))
    assert compare_members("short", [*MEMBERS[:3], quick[0], short], "validation").rows[1].ratio is None
    assert compute_ratio([member("frontier", 7, (0.5, 0.5))], MEMBERS[:3], "validation") is None


def test_intervals_hold_the_mean_and_do_not_break_on_few_or_equal_values() -> None:
    found = estimate([0.7, 0.72, 0.74])
    assert found == estimate([0.7, 0.72, 0.74])
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.mean < found.high
    assert (found.low, found.high) == pytest.approx((0.72 - 0.04968, 0.72 + 0.04968), abs=1e-5)
    assert estimate([0.5]).low is None
    assert estimate([0.5, 0.5]).low is None
    assert estimate([0.99, 1.0]).high == 1.0
    assert paired_difference([0.6, 0.7], [0.5, 0.6]).p is None
    tested = paired_difference([0.6, 0.71, 0.69], [0.5, 0.6, 0.6])
    assert tested.low is not None
    assert tested.high is not None
    assert tested.low < tested.mean < tested.high


def test_holm_corrects_for_all_that_were_tested() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([None]) == [None]


def test_the_table_corrects_its_ps() -> None:
    others = [member("star", seed, (0.5, 0.50), (0.7, 0.70 + seed / 50)) for seed in range(3)]
    rows = {row.method: row for row in compare_members("made up", MEMBERS + others, "validation").rows}
    found = {name: row.difference.p for name, row in rows.items() if row.difference and row.difference.p}
    small, large = sorted(found, key=lambda name: found[name] or 1.0)
    assert rows[small].corrected_p == pytest.approx(2 * (found[small] or 0))
    assert rows[large].corrected_p == pytest.approx(max(found[large] or 0, rows[small].corrected_p or 0))
    assert rows["adastar"].corrected_p is rows["sft"].corrected_p is None


def test_many_methods_have_a_panel_each_with_a_band() -> None:
    runs = [
        member(method, seed, (0.5, 0.50), (0.6, 0.60 + 0.01 * seed))
        for method in get_args(MethodName)
        for seed in (0, 1)
    ]
    runs = [one if one.method != "hs-star" else member("hs-star", one.seed, (0.1, 0.2)) for one in runs]
    for methods, panels in ((list(METHODS), len(METHODS)), (list(METHODS)[:4], 1)):
        chosen = [one for one in runs if one.method in methods]
        drawing = comparison_figure(compare_members("made up", chosen, "validation")).svg.decode()
        assert len(set(re.findall(r'id="(axes_\d+)"', drawing))) >= panels
        assert drawing.count("<!-- below: 20.0% -->") == (panels > 1)
        assert len(set(re.findall(r'id="(FillBetweenPolyCollection_\d+)"', drawing))) == len(methods)


def test_a_selection_on_test_says_so_everywhere(tmp_path: Path) -> None:
    comparison = compare_members("made up", MEMBERS, "test", [("command", "python flows/compare.py")])
    files = write_comparison(comparison, tmp_path)
    assert all("selected-on-test" in name for name in files)
    for kind in ("html", "md", "tex"):
        assert "PAPER'S PROTOCOL" in files[f"comparison-selected-on-test.{kind}"].read_text().replace(
            "&#39;", "'"
        )


def test_the_files_agree_and_are_the_same_every_time(tmp_path: Path) -> None:
    comparison = compare_members("made <up>", MEMBERS, "validation", [("command", "a | b")])
    first = {name: path.read_bytes() for name, path in write_comparison(comparison, tmp_path / "a").items()}
    again = {name: path.read_bytes() for name, path in write_comparison(comparison, tmp_path / "b").items()}
    assert first == again
    assert set(first) == {
        "comparison.html",
        "comparison.md",
        "comparison.tex",
        "comparison.csv",
        "runs.csv",
        "accuracy-by-compute.png",
    }
    rows = list(csv.DictReader(io.StringIO(first["comparison.csv"].decode())))
    assert [row["method"] for row in rows] == ["adastar", "sft", "star-acc"]
    assert float(rows[0]["accuracy_mean"]) == comparison.rows[0].accuracy.mean
    runs = list(csv.DictReader(io.StringIO(first["runs.csv"].decode())))
    assert len(runs) == 3 * 4 + 3 * 2 + 2
    lines = text.markdown(comparison).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    columns = len(text.headings(comparison))
    body = [line for line in text.latex(comparison).splitlines() if line.endswith(r"\\")]
    assert all(line.count("&") == columns - 1 for line in body)
    assert b"<up>" not in first["comparison.html"]


def test_a_member_is_read_from_its_summary(tmp_path: Path) -> None:
    iteration = {"validation_accuracy": 0.6, "test_accuracy": 0.5, "pflops": 1.0, "padded_pflops": 2.0,
                 "attention_pflops": 0.1, "accepted": 30, "false_positive_share": 0.2, "seconds": 3.0}  # fmt: skip
    later = {**iteration, "accepted": 10, "false_positive_share": 0.0, "test_accuracy": 0.7}
    summary = {"base_validation_accuracy": 0.4, "base_test_accuracy": 0.3, "trained_frequency_deviation": 0.9,
               "iterations": [iteration, later]}  # fmt: skip
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(summary))
    found = read_member(path, "adastar", 3)
    assert [point.pflops for point in found.points] == [0, 1, 2]
    assert [point.test for point in found.points] == [0.3, 0.5, 0.7]
    assert found.false_positive_share == pytest.approx(0.15)
    assert found.frequency_deviation == 0.9


def test_a_sampler_of_one_s_own_has_the_name_of_its_class() -> None:
    runs = [
        member(method, seed, (0.5, 0.5), (0.6, 0.6)) for method in ("adastar", "custom") for seed in (0, 1)
    ]
    named = compare_members("made up", runs, "validation", [("own sampler", "mine.py:Mine")])
    assert [row[0] for row in text.cells(named)] == ["AdaSTaR", "Mine"]
    assert text.cells(compare_members("made up", runs, "validation"))[1][0] == "Own sampler"
