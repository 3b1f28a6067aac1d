"""Intervals have their nominal coverage, and agree with the p next to them."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.comparison.intervals import Estimate, PairedDifference, estimate, paired_difference
from adastar_core.records import Accuracy
from adastar_core.streams import rng

REPLICATIONS = 2000
QUESTIONS = 500
shares = st.lists(st.integers(0, 1000).map(lambda correct: correct / 1000), min_size=2, max_size=10)


def accuracies(method: float, seeds: int, spread: float) -> tuple[npt.NDArray[np.float64], float]:
    """Test accuracies of a method's runs, [replications, seeds], and their expectation on these questions.

    The questions are the same for all runs and of every difficulty; ``method`` makes all of them easier. A seed makes
    a whole run better or worse, by ``spread``, and then every answer is right or wrong by chance.
    """
    random = rng(0, "test-of-coverage", str(method), seeds)
    difficulty = method + rng(0, "test-of-coverage", "questions").beta(3, 1, QUESTIONS)
    rows = []
    for _ in range(REPLICATIONS):
        rates = np.clip(difficulty + random.normal(0, spread, (seeds, 1)), 0, 1)
        rows.append((random.random((seeds, QUESTIONS)) < rates).mean(axis=1))
    many = np.clip(difficulty + random.normal(0, spread, (4_000, 1)), 0, 1)
    return np.array(rows), float(many.mean())


def covers(found: Estimate | PairedDifference, truth: float) -> bool:
    """Whether the interval holds the truth; where there is no interval, it does not."""
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


@pytest.mark.parametrize("spread", [0.0, 0.02])
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_intervals_over_seeds_cover_95_percent(seeds: int, spread: float) -> None:
    ours, truth = accuracies(0.0, seeds, spread)
    found = np.mean([covers(estimate(row), truth) for row in ours.tolist()])
    assert 0.93 <= found <= 0.97
    theirs, other = accuracies(-0.03, seeds, spread)
    pairs = zip(ours.tolist(), theirs.tolist(), strict=True)
    found = np.mean([covers(paired_difference(*pair), truth - other) for pair in pairs])
    assert 0.93 <= found <= 0.97


@pytest.mark.parametrize("rate", [0.3, 0.595, 0.75, 0.95])
@pytest.mark.parametrize("questions", [60, 200, 1000])
def test_a_single_accuracy_s_interval_covers_95_percent(questions: int, rate: float) -> None:
    correct = rng(0, "test-of-coverage", "wilson", questions).binomial(questions, rate, REPLICATIONS)
    intervals = {
        count: Accuracy(count, questions).interval() or (1.0, 0.0) for count in set(correct.tolist())
    }
    found = np.mean([intervals[count][0] <= rate <= intervals[count][1] for count in correct.tolist()])
    assert 0.93 <= found <= 0.975


@given(shares, st.randoms(use_true_random=False))
def test_an_interval_excludes_zero_exactly_where_p_is_below_5_percent(
    values: list[float], random: object
) -> None:
    assert hasattr(random, "sample")
    found = paired_difference(values, random.sample(values, len(values)))
    if found.low is None or found.high is None or found.p is None:
        assert found.low is found.high is found.p is None
    else:
        assert (found.low > 0 or found.high < 0) == (found.p < 0.05)


@given(shares)
def test_an_interval_of_an_accuracy_holds_its_mean_and_is_never_without_width(values: list[float]) -> None:
    found = estimate(values)
    if len(set(values)) == 1:
        assert (found.low, found.high) == (None, None)
    else:
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low < found.high <= 1
        assert found.low <= found.mean <= found.high


@given(st.integers(0, 900), st.integers(0, 100), st.integers(2, 10))
def test_equal_differences_have_no_test_however_they_are_rounded(start: int, gap: int, seeds: int) -> None:
    theirs = [(start + 7 * seed) / 1000 for seed in range(seeds)]
    ours = [(start + 7 * seed + gap) / 1000 for seed in range(seeds)]
    assert paired_difference(ours, theirs).p is None
