"""How predictions came true, on numbers made up by hand."""

import numpy as np
import pytest

from adastar_core.report.calibration import calibration, calibration_line, calibration_table


def test_scores_of_a_prophet_a_liar_and_who_knows_the_base_rate() -> None:
    right = np.array([True, True, True, False])
    scores = []
    for chances in (right.astype(float), 1 - right, np.full(4, 0.75)):
        found = calibration([(2, chances, right)])
        assert found is not None
        assert (found.attempts, found.base_rate, found.base_brier) == (4, 0.75, 0.1875)
        scores.append(found.brier)
    assert scores == [0.0, 1.0, 0.1875]


def test_bins_hold_what_was_predicted_and_what_happened() -> None:
    chances = np.array([0.05, 0.62, 0.66, 0.69, 1.0])
    found = calibration(
        [(2, chances[:2], np.array([False, True])), (3, chances[2:], np.array([True, False, True]))]
    )
    assert found is not None
    assert [(row.low, row.high, row.observed.correct, row.observed.total) for row in found.bins] == [
        (0.0, 0.1, 0, 1),
        (0.6, 0.7, 2, 3),
        (0.9, 1.0, 1, 1),
    ]
    assert found.bins[1].predicted == pytest.approx((0.62 + 0.66 + 0.69) / 3)
    assert sum(row.observed.total for row in found.bins) == found.attempts == 5
    assert [(row.t, row.attempts) for row in found.iterations] == [(2, 2), (3, 3)]
    assert found.iterations[0].brier == pytest.approx((0.05**2 + 0.38**2) / 2)
    assert found.iterations[1].base_brier == pytest.approx(2 / 9)  # of the iteration's own base rate
    assert calibration_table(found)[1] == ("60–70 %", "65.7 %", "66.7 % (20.8–93.9)", "3")
    assert "better than always predicting the base rate of 60.0 % (0.2400)" in calibration_line(found)


def test_nothing_was_predicted() -> None:
    assert calibration([]) is None
    assert calibration([(2, np.array([]), np.array([], dtype=bool))]) is None
