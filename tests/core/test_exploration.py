"""B-STaR's balance score, and what is chosen by it."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from adastar_core.config import RunConfig, files
from adastar_core.selection.exploration import balance_score, choose_control

K = 5
response = st.sampled_from([None, "a", "b", "c"])
tried = st.lists(st.lists(response, min_size=K, max_size=K), min_size=1, max_size=4)


def test_the_score_counts_distinct_right_responses() -> None:
    assert balance_score([["a", "b", None, "a", "c"]], 5, 6) == Fraction(1, 2) * Fraction(3, 5)
    assert balance_score([["a", "b", None, "a", "c"]], 2, 2) == 1
    assert balance_score([["a"], [None]], 1, 1) == Fraction(1, 2)


@given(st.dictionaries(st.sampled_from([0.4, 0.7, 1.0]), tried, min_size=1))
def test_a_fixed_k_is_kept_and_the_temperature_has_the_best_score(
    by_temperature: dict[float, list[list[str | None]]],
) -> None:
    control = choose_control(by_temperature, (K,), 6)
    scores = {temperature: balance_score(one, K, 6) for temperature, one in by_temperature.items()}
    best = max(scores.values())
    assert control.attempts == K
    assert control.temperature == min(one for one, score in scores.items() if score == best)


def test_one_right_rationale_makes_a_free_choice_of_k_take_a_single_attempt() -> None:
    """Which is why the choice of K is a variant of ours, not the published method."""
    only = {0.7: [["a"] * K] * 3}
    assert choose_control(only, range(1, K + 1), 6).attempts == 1
    assert choose_control(only, (K,), 6).attempts == K


def test_b_star_fixes_k_and_its_variant_does_not() -> None:
    published = files.resolve({}, ["method=b-star"])
    variant = files.resolve({}, ["method=b-star-k"])
    assert (published.exploration.control, published.attempts) == ("temperature", K)
    assert published.method_title() == "b-star"
    assert variant.exploration.control == "balance"


def test_runs_of_the_earlier_definition_stay_what_they_are() -> None:
    """They are stored as ``b-star`` whose balance score chooses K, and are continued by saying so."""
    stored = files.resolve({}, ["method=b-star"]).identity() | {"exploration.control": "balance"}
    again = files.resolve({}, ["method=b-star", "exploration.control=balance"])
    assert RunConfig.of_identity(stored).identity() == stored == again.identity()
    assert again.method_title() == "b-star (exploration.control=balance)"
