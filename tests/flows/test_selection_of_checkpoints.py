"""Validation selects the checkpoint and ends the run."""

from adastar_core.records import Accuracy, Split
from adastar_core.stages.manifests import EvaluateManifest
from flows.ending import best_of, out_of_patience


def validation(*correct: int) -> list[EvaluateManifest]:
    return [
        EvaluateManifest(iteration=t, split=Split.VALIDATION, accuracy=Accuracy(right, 10))
        for t, right in enumerate(correct)
    ]


def test_the_best_is_the_earliest_among_equals_and_may_be_the_base() -> None:
    assert best_of(validation(3, 5, 7, 7, 6)) == 2
    assert best_of(validation(5, 5, 4)) == 0


def test_patience_counts_iterations_without_a_better_one() -> None:
    assert not out_of_patience(validation(3, 5, 4), patience=2)
    assert out_of_patience(validation(3, 5, 4, 5), patience=2)
    assert not out_of_patience(validation(3, 2, 1, 0), patience=None)


def test_shares_are_compared_and_never_counts() -> None:
    counts = [(38, 60), (38, 60), (74, 120)]
    grown = [
        EvaluateManifest(iteration=t, split=Split.VALIDATION, accuracy=Accuracy(*count))
        for t, count in enumerate(counts)
    ]
    assert best_of(grown) == 0
    assert out_of_patience(grown, patience=2)
    assert max(Accuracy(1, 3), Accuracy(33, 100), Accuracy(0, 0)) == Accuracy(1, 3)
