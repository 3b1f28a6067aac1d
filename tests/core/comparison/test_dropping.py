"""What a rung decides, on runs made up by hand and in simulation, and what is shown of it."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from adastar_core.comparison import rung_text, text
from adastar_core.comparison.dropping import decide
from adastar_core.comparison.member import Member, Point
from adastar_core.comparison.rungs import Rung, rungs
from adastar_core.comparison.table import compare_members
from adastar_core.config.methods import MethodName
from adastar_core.errors import StageError
from tests.support.simulated_curves import SCENES, Scene, simulate

QUESTIONS = 400
LADDER = rungs(8, None)


def run(method: MethodName, seed: int, *accuracies: float, cost: float = 1.0) -> Member:
    """A run with these validation accuracies, the base model's first; which questions are right is drawn for each seed."""
    points = tuple(
        Point(t, accuracy, accuracy, t * cost, t * cost, 0.0, _answers(accuracy, method, seed, t))
        for t, accuracy in enumerate(accuracies)
    )
    return Member(method, seed, points, None, None)


def _answers(accuracy: float, *key: object) -> str:
    chosen = random.Random(str(key)).sample(range(QUESTIONS), round(accuracy * QUESTIONS))
    right = np.zeros(QUESTIONS, dtype=np.uint8)
    right[chosen] = 1
    return "".join(map(str, right.tolist()))


def field(*methods: tuple[MethodName, tuple[float, ...]], seeds: int = 4) -> list[Member]:
    """Runs of these methods, whose seeds differ by half a point to either side."""
    return [
        run(method, seed, accuracies[0], *(share + 0.005 * (-1) ** seed for share in accuracies[1:]))
        for method, accuracies in methods
        for seed in range(seeds)
    ]


BEST, LOSER, SLOW = (0.5, 0.7, 0.8), (0.5, 0.5, 0.52), (0.5, 0.58, 0.64)


def test_a_method_is_dropped_that_cannot_win_any_more() -> None:
    members = field(("adastar", BEST), ("random-lazy", BEST), ("star", LOSER))
    decision = decide(members, LADDER[0], methods=3, rungs=2)
    assert list(decision.dropped) == ["star"]
    verdict = decision.dropped["star"]
    assert (verdict.rival, verdict.seeds) == ("adastar", (0, 1, 2, 3))
    assert verdict.difference == pytest.approx(-0.28, abs=0.003)
    assert verdict.high is not None
    assert -0.28 < verdict.high < 0
    # It has gained 2 points in a quarter of the budget, so 6 more are granted.
    assert verdict.attainable == pytest.approx(-0.28 + 3 * 0.02, abs=0.003)


def test_a_slow_start_is_no_loss() -> None:
    """16 points behind beyond chance, but a gain of 14 in a quarter of the budget may become 56."""
    found = decide(field(("adastar", BEST), ("star", SLOW)), LADDER[0], methods=2, rungs=2).verdicts[1]
    assert found.high is not None
    assert found.attainable is not None
    assert found.high < 0 < found.attainable
    assert not found.dropped


def test_what_chance_explains_is_kept() -> None:
    noisy = [run("star", seed, 0.5, 0.5, share) for seed, share in enumerate((0.52, 0.80, 0.50, 0.66))]
    decision = decide([*field(("adastar", BEST)), *noisy], LADDER[0], methods=2, rungs=2)
    assert not decision.dropped


def test_one_seed_drops_nothing_and_more_methods_need_a_wider_gap() -> None:
    assert not decide(
        field(("adastar", BEST), ("star", LOSER), seeds=1), LADDER[0], methods=2, rungs=2
    ).dropped
    highs = [
        decide(field(("adastar", BEST), ("star", LOSER)), LADDER[0], methods=count, rungs=2).verdicts[1].high
        for count in (2, 9, 21)
    ]
    assert highs == sorted(highs, key=lambda high: high or 0)
    assert len(set(highs)) == 3


def test_it_follows_from_what_runs_did_up_to_the_rung_alone() -> None:
    members = field(("adastar", BEST), ("random-lazy", SLOW), ("star", LOSER))
    longer = [
        replace(one, points=(*one.points, replace(one.points[-1], t=3, validation=0.99))) for one in members
    ]
    random.Random(3).shuffle(longer)
    first, again = (decide(found, LADDER[0], methods=3, rungs=2) for found in (members, longer))
    assert rung_text.record([first]) == rung_text.record([again])


def test_test_accuracy_decides_nothing() -> None:
    members = field(("adastar", BEST), ("star", LOSER))
    other = [replace(one, points=tuple(replace(point, test=0.0) for point in one.points)) for one in members]
    assert decide(members, LADDER[0], methods=2, rungs=2) == decide(other, LADDER[0], methods=2, rungs=2)


def test_a_method_is_compared_at_the_compute_that_it_has_spent() -> None:
    """One iteration of the costly method is half of the budget: at a quarter it is ahead by that, and drops nobody."""
    rung = Rung(2.0, 8.0, "pflops")
    costly = [run("rest-em", seed, 0.5, 0.9, cost=4.0) for seed in range(4)]
    cheap = field(("adastar", (0.5, 0.52, 0.53, 0.99)))
    decision = decide([*costly, *cheap], rung, methods=2, rungs=2)
    assert not decision.dropped
    assert decision.verdicts[0].accuracy == pytest.approx(0.53, abs=0.006)  # not what came after the rung
    assert [found.rival for found in decision.verdicts] == ["rest-em", "adastar"]
    assert decision.verdicts[0].difference == pytest.approx(
        0.03, abs=0.006
    )  # to the base model: nothing is paid for


def test_a_method_that_lacks_a_seed_is_not_judged() -> None:
    members = field(("adastar", BEST), ("random-lazy", BEST), ("star", LOSER))
    lacking = [one for one in members if (one.method, one.seed) != ("star", 2)]
    assert not decide(lacking, LADDER[0], methods=3, rungs=2).dropped


def test_summaries_without_answers_are_refused() -> None:
    old = [
        replace(one, points=tuple(replace(point, right="") for point in one.points))
        for one in field(("adastar", BEST), ("star", LOSER))
    ]
    with pytest.raises(StageError, match="do not say which validation questions were right"):
        decide(old, LADDER[0], methods=2, rungs=2)


def test_rungs_of_a_budget() -> None:
    assert [rung.limit for rung in rungs(8, None)] == [2, 4, 8]
    assert [rung.limit for rung in rungs(2, None)] == [1, 2]
    assert [rung.limit for rung in rungs(1, None)] == [1]
    whole = rungs(200, 0.002)
    assert [rung.title for rung in whole] == ["500 GFLOPs", "1.00 TFLOPs", "2.00 TFLOPs"]
    assert [rung.setting for rung in whole[:2]] == ["budget_pflops=0.0005", "budget_pflops=0.001"]
    one = run("adastar", 0, 0.5, 0.6, 0.7, cost=0.0004)
    assert len(whole[0].cut(one).points) == 3  # the second iteration reaches it
    assert whole[2].cut(one) is one


def test_a_dropped_method_stays_in_the_table_without_figures() -> None:
    members = field(("adastar", BEST), ("random-lazy", BEST), ("star", LOSER))
    decision = decide(members, LADDER[0], methods=3, rungs=2)
    comparison = compare_members("made up", members, "validation", (), [decision])
    assert [row.method for row in comparison.rows] == ["adastar", "random-lazy"]
    assert comparison.equal_pflops == 2.0
    *_, last = text.cells(comparison)
    assert last[:2] == ("STaR (dropped after 2.00 PFLOPs)", "4")
    assert set(last[2:]) == {"–"}
    page = text.markdown(comparison)
    assert "## Rungs" in page
    assert "| 2 iterations | STaR | 2.00 PFLOPs | 52.0 | AdaSTaR | -28.0 |" in page
    assert "star,3,2,0.51" in text.runs_csv(comparison)  # the seed's half point below
    line = text.table_csv(comparison).splitlines()[-1]
    assert line.startswith("star,4,,,")
    assert line.endswith(",2.0")
    assert "The same command without --drop" in rung_text.reason(decision, decision.dropped["star"])
    kept = json.loads(rung_text.record([decision]))
    assert [found["dropped"] for found in kept[0]["verdicts"]] == [False, False, True]


def test_a_comparison_without_rungs_is_shown_as_before() -> None:
    comparison = compare_members("made up", field(("adastar", BEST)), "validation")
    assert comparison.decisions == ()
    assert "Rungs" not in text.markdown(comparison)
    assert "dropped" not in text.table_csv(comparison)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
def test_the_best_is_kept_in_simulation(scene: Scene) -> None:
    """A part of what ``python -m tests.support.simulated_curves`` measures."""
    found = simulate(scene, 20)
    assert found.kept >= 0.95
    if scene.title == "clear losers":
        assert found.cost < 0.45
