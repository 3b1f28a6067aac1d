"""The success rate that questions alone predict."""

import numpy as np
import pytest

from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.records import Split
from adastar_core.samplers.difficulty import Difficulty, Floats, features_of, predicted_lengths

ADDITIONS = Arithmetic(ArithmeticSettings(train=1200, max_digits=12)).load(Split.TRAIN)
DIGITS = np.array([int(addition.difficulty or 0) for addition in ADDITIONS])
FEATURES = features_of([addition.question for addition in ADDITIONS])
RATES = 1 / (1 + np.exp(2.0 * (DIGITS - 4.5)))


def tried(share: float, attempts: int = 2) -> tuple[Floats, Floats]:
    """Return right and wrong attempts at a random share of the additions."""
    random = np.random.default_rng(0)
    right = random.binomial(attempts, RATES).astype(np.float64)
    here = random.random(len(RATES)) < share
    return right * here, (attempts - right) * here


def test_questions_that_were_never_asked_are_predicted_and_calibrated() -> None:
    right, wrong = tried(0.1)
    difficulty = Difficulty(FEATURES)
    difficulty.fit(right, wrong)
    predicted = difficulty.predict()
    unseen = right + wrong == 0
    assert np.abs(predicted - RATES)[unseen].mean() < 0.05
    nothing_known = np.mean((RATES - RATES.mean())[unseen] ** 2)
    assert np.mean((predicted - RATES)[unseen] ** 2) < 0.1 * nothing_known


def test_equal_shapes_have_equal_rates() -> None:
    """So that the tie-break decides between them, whatever the number of threads."""
    difficulty = Difficulty(FEATURES)
    difficulty.fit(*tried(0.3))
    for rates in (difficulty.predict(), difficulty.draw(np.random.default_rng(1))):
        assert [len(set(rates[digits == DIGITS].tolist())) for digits in range(1, 13)] == [1] * 12


def test_a_fit_does_not_depend_on_the_fits_before() -> None:
    """A run that resumes has made none."""
    often, once = Difficulty(FEATURES), Difficulty(FEATURES)
    for share in (0.1, 0.5, 0.2):
        often.fit(*tried(share))
    once.fit(*tried(0.2))
    assert np.array_equal(often.predict(), once.predict())


def test_what_is_not_known_is_drawn_from_far_apart() -> None:
    right, wrong = tried(0.5)
    right[DIGITS > 6] = wrong[DIGITS > 6] = 0
    difficulty = Difficulty(FEATURES)
    difficulty.fit(right, wrong)
    draws = np.array([difficulty.draw(np.random.default_rng(seed)) for seed in range(50)])
    assert draws[:, DIGITS == 7].std() > 3 * draws[:, DIGITS == 2].std()


@pytest.mark.parametrize("solved", [0.0, 1.0])
def test_all_right_and_all_wrong_are_fitted(solved: float) -> None:
    attempts = np.full(len(RATES), 100.0)
    difficulty = Difficulty(FEATURES)
    difficulty.fit(attempts * solved, attempts * (1 - solved))
    assert np.abs(difficulty.predict() - solved).max() < 0.01


def test_no_attempts_leave_the_prior_and_no_questions_are_no_rates() -> None:
    difficulty = Difficulty(FEATURES)
    difficulty.fit(np.zeros(len(RATES)), np.zeros(len(RATES)))
    assert np.abs(difficulty.predict() - 0.5).max() < 1e-6
    nobody = Difficulty(features_of([]))
    nobody.fit(np.zeros(0), np.zeros(0))
    assert nobody.predict().shape == (0,)


def test_equal_questions_have_no_features() -> None:
    assert features_of(["the same"] * 3).shape == (3, 0)


def test_lengths_are_predicted_within_those_seen() -> None:
    attempts = np.where(DIGITS <= 6, 1.0, 0.0)
    lengths = predicted_lengths(FEATURES, attempts * (10 + 10 * DIGITS), attempts)
    short = DIGITS <= 6
    assert np.abs(lengths / (10 + 10 * DIGITS) - 1)[short].max() < 0.1
    assert lengths.max() <= 70.0001
