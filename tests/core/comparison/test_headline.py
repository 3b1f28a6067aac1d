"""Without a significant difference the headline names no winner, and it says when the base model was selected."""

import pytest

from adastar_core.comparison import text
from adastar_core.comparison.leader import leader
from adastar_core.comparison.member import Member
from adastar_core.comparison.table import compare_members
from adastar_core.config.methods import METHODS, MethodName
from tests.core.comparison.test_comparison import member

BASE = (0.5, 0.5)
CLOSE, FAR = (0.001, -0.001, 0.002, -0.002), (-0.100, -0.101, -0.099, -0.102)


def runs(method: MethodName, *shifts: float, start: float = 0.7) -> list[Member]:
    """One run per shift; every seed has its own level, so that the differences alone are regular."""
    return [member(method, seed, BASE, (0.7, start + seed / 50 + shift)) for seed, shift in enumerate(shifts)]


def said(members: list[Member]) -> str:
    return text.headline(compare_members("made up", members, "validation"))


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_a_dead_tie_has_no_winner(seeds: int) -> None:
    assert said(runs("adastar", *[0.0] * seeds) + runs("star", *[0.0] * seeds)) == (
        f"No winner: AdaSTaR is tied with STaR at {70 + seeds - 1:.1f} %."
    )


def test_a_lead_whose_interval_includes_zero_is_a_tie() -> None:
    found = said(runs("adastar", *[0.0] * 4) + runs("star", *CLOSE, start=0.701))
    assert found.startswith("No winner: STaR has the highest mean, 73.1 (")
    assert "is tied with AdaSTaR (no significant difference" in found


def test_one_seed_names_no_winner() -> None:
    found = said(runs("adastar", 0.2) + runs("star", 0.0))
    assert found.startswith("No winner: AdaSTaR has the highest mean")
    assert found.endswith("is tied with STaR (one seed cannot show a difference).")


def test_a_winner_differs_from_every_other_method() -> None:
    ahead = runs("adastar", *[0.0] * 4)
    assert said(ahead + runs("star", *FAR)).startswith("AdaSTaR is the most accurate with 73.0 (")
    comparison = compare_members(
        "made up", ahead + runs("star", *FAR) + runs("star-acc", *CLOSE), "validation"
    )
    assert leader(comparison).tied == ("star-acc",)
    assert text.headline(comparison).startswith("No winner")


def test_a_leader_no_better_than_the_base_model_is_reported() -> None:
    near = [member("star", seed, BASE, (0.7, 0.5 + shift)) for seed, shift in enumerate((0.02, -0.01, 0.01))]
    assert said(near).endswith("STaR is not significantly better than the base model (50.0 %).")
    alike = [member("star", seed, BASE, (0.7, 0.6)) for seed in range(3)]
    assert "base model" not in said(alike)
    assert "base model" not in said(runs("star", *CLOSE))
    assert "base model" not in said(near[:1])


def test_a_lead_from_seeds_that_the_other_lacks_is_a_tie() -> None:
    """On their common seeds star is far ahead; two lucky seeds make adastar's mean higher."""
    ahead = runs("star", *[0.0] * 4)
    lucky = [
        *runs("adastar", *FAR),
        member("adastar", 9, BASE, (0.7, 1.0)),
        member("adastar", 10, BASE, (0.7, 1.0)),
    ]
    found = leader(compare_members("made up", ahead + lucky, "validation"))
    assert (found.method, found.tied) == ("adastar", ("star",))


def test_many_ties_are_counted_and_a_method_alone_wins_nothing() -> None:
    everything = [one for method in METHODS for one in runs(method, *CLOSE)]
    assert f"tied with {len(METHODS) - 1} others at" in said(everything)
    assert said(runs("adastar", *CLOSE)).startswith("AdaSTaR has 73.0 (")


def test_a_selected_base_model_is_reported() -> None:
    kept = [member("sft", seed, (0.5, 0.5), (0.4, 0.9)) for seed in range(3)]
    some = [member("star", seed, (0.5, 0.5), (0.4 + 0.2 * (seed > 0), 0.6)) for seed in range(3)]
    comparison = compare_members("made up", kept + some, "validation")
    assert [row.base_chosen for row in comparison.rows] == [3, 1]
    assert any("SFT in 3 of 3 runs, STaR in 1 of 3 runs" in note for note in text.notes(comparison))
    assert "did not help" not in text.headline(comparison)
    assert said(kept).endswith("Every run selected the base model: training did not help.")
    helped = compare_members("made up", runs("star", *CLOSE), "validation")
    assert not any("base model was selected" in note for note in text.notes(helped))
