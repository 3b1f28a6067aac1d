"""Controls of an accuracy, and the warnings that follow from them, on constructed and simulated measurements."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.records import Accuracy, Choice, Outcome
from adastar_core.report.beside import beside
from adastar_core.report.cautions import cautions, no_more_than_as_sampled, one_answer
from adastar_core.report.controls import Controls, controls
from adastar_core.store.measured import Answered

CLASSES = (Choice("0", "entailment"), Choice("1", "neutral"), Choice("2", "contradiction"))
REFERENCES = "0" * 21 + "1" * 22 + "2" * 21


def measured(
    references: Sequence[str], answers: Sequence[str | None], choices: tuple[Choice, ...] = CLASSES
) -> Controls:
    """Return the controls of a measurement; an answer of ``None`` could not be read, ``?`` is undecided."""

    def item(reference: str, answer: str | None) -> Answered:
        outcome = Outcome.RIGHT if answer == reference else Outcome.WRONG
        return Answered(reference, choices, answer, Outcome.UNDECIDED if answer == "?" else outcome)

    found = controls([item(*pair) for pair in zip(references, answers, strict=True)])
    assert found is not None
    return found


NOTHING_READ = measured(REFERENCES, [None] * 64)
ALL_THE_SAME = measured(REFERENCES, "2" * 64)


def test_an_accuracy_stands_beside_guessing_and_the_most_frequent_reference() -> None:
    assert ALL_THE_SAME.chance == pytest.approx(1 / 3)
    assert (ALL_THE_SAME.constant, ALL_THE_SAME.majority) == ("1", Accuracy(22, 64))
    assert (ALL_THE_SAME.accuracy, ALL_THE_SAME.read) == (Accuracy(21, 64), Accuracy(64, 64))
    assert ALL_THE_SAME.answers == (("2", 64),)
    assert ALL_THE_SAME.references == (("1", 22), ("0", 21), ("2", 21))
    assert (NOTHING_READ.read, NOTHING_READ.answers, NOTHING_READ.overuse) == (Accuracy(0, 64), (), None)
    assert controls([]) is None


def test_what_stayed_the_same_is_said_once() -> None:
    said, learned = beside(ALL_THE_SAME, ALL_THE_SAME), beside(NOTHING_READ, ALL_THE_SAME)
    assert said
    assert learned
    assert "; 100.0 % of the answers could be read; of those 32.8 % are right;" in said
    assert "→" not in said
    assert "; 0.0 % → 100.0 % of the answers could be read; of those 32.8 % are right;" in learned


def test_undecided_answers_are_not_read() -> None:
    found = measured("0012", ["0", "?", "1", None])
    assert (found.read, found.right_of_read) == (Accuracy(2, 4), Accuracy(2, 2))


@pytest.mark.parametrize(
    ("references", "chance"),
    [
        (["yes", "no"] * 10, 0.5),
        (["Yes", "yes "] * 10, 0.5),
        ([str(n) for n in range(40)], None),
        (["a", "b"], None),
    ],
)
def test_chance_without_options_needs_few_references_that_repeat(
    references: list[str], chance: float | None
) -> None:
    assert measured(references, references, ()).chance == chance


def test_chance_is_the_mean_over_questions_with_different_numbers_of_options() -> None:
    items = [
        Answered("A", tuple(Choice(label, "") for label in labels), "A", Outcome.RIGHT)
        for labels in ("AB", "ABCD")
    ]
    found = controls(items)
    assert found is not None
    assert found.chance == pytest.approx(0.375)


def test_a_reference_and_an_answer_are_compared_in_the_verifiers_spelling() -> None:
    by_name = [
        Answered("Entailment", CLASSES, "0", Outcome.RIGHT),
        Answered("contradiction", CLASSES, "0", Outcome.WRONG),
    ]
    found = controls(by_name)
    assert found is not None
    assert (found.references, found.answers) == ((("0", 1), ("2", 1)), (("0", 2),))
    numbers = [Answered("1,080", (), "1080", Outcome.RIGHT)] * 30 + [
        Answered("7", (), "7", Outcome.RIGHT)
    ] * 9
    found = controls(numbers)
    assert found is not None
    assert found.answers == found.references == (("1,080", 30), ("7", 9))
    assert found.overuse is not None
    assert found.overuse.p == 1.0


def test_a_verifier_that_records_no_answers_leaves_unknown_what_was_read() -> None:
    found = controls([Answered("5", (), None, Outcome.RIGHT), Answered("6", (), None, Outcome.WRONG)])
    assert found is not None
    assert (found.read, found.right_of_read, found.overuse) == (None, None, None)
    assert not [text for text in cautions(found, found) if "read" in text]


# Warnings


def test_a_collapse_to_one_answer_is_told() -> None:
    collapse, no_better, form = cautions(NOTHING_READ, ALL_THE_SAME)
    assert collapse.startswith(
        'WARNING: 64 of 64 answers (100.0 %) are "2", the reference of 21 (32.8 %; p < 0.0001).'
    )
    assert no_better.startswith(
        'WARNING: an accuracy of 32.8 % is not above what always answering "1" gives, 34.4 % (23.9–46.6).'
    )
    assert form.startswith(
        "WARNING: the gain of +32.8 points is one of form: 0.0 % of the answers could be read before, 100.0 % after. Of those "
        'read 32.8 % are right, and always answering "1" gives 34.4 %'
    )


def test_one_answer_of_those_that_were_read_is_a_collapse_too() -> None:
    few = measured(REFERENCES, ["2" if place % 2 else None for place in range(64)])
    assert one_answer(few.overuse) is not None


def test_a_gain_that_the_base_model_has_as_sampled_is_one_of_form() -> None:
    wrong = {"0": "1", "1": "2", "2": "0"}
    after = measured(REFERENCES, [one if place % 3 else wrong[one] for place, one in enumerate(REFERENCES)])
    assert cautions(NOTHING_READ, after) == []
    (said,) = no_more_than_as_sampled(NOTHING_READ, after, Accuracy(40, 64))
    assert said.startswith(
        "WARNING: prompted as rationales are sampled, the base model already answers 62.5 % (50.3–73.3) of the "
        "validation questions right. The gain of +65.6 points to 65.6 %"
    )
    assert no_more_than_as_sampled(NOTHING_READ, after, Accuracy(20, 64)) == []
    assert no_more_than_as_sampled(after, NOTHING_READ, Accuracy(40, 64)) == []


def test_a_gain_in_what_answers_say_is_not_one_of_form() -> None:
    references = "012" * 100
    half = [answer if place % 2 else None for place, answer in enumerate("000" * 100)]
    good = [answer if place % 5 else "0" for place, answer in enumerate(references)]
    assert cautions(measured(references, half), measured(references, good)) == []
    (said,) = cautions(
        measured(references, [answer if place % 2 else None for place, answer in enumerate(good)]),
        measured(references, good),
    )
    assert "86.7 % (80.3–91.2) were before" in said


def test_a_model_that_got_worse_has_gained_no_form() -> None:
    assert not [text for text in cautions(ALL_THE_SAME, NOTHING_READ) if "form" in text]


@given(
    st.lists(
        st.tuples(st.sampled_from("012"), st.sampled_from(["0", "1", "2", "?", None])),
        min_size=1,
        max_size=80,
    )
)
def test_counts_agree_with_each_other_whatever_was_answered(pairs: list[tuple[str, str | None]]) -> None:
    references, answers = zip(*pairs, strict=True)
    found = measured(references, answers)
    assert sum(count for _, count in found.references) == len(pairs)
    assert found.read is None or found.read.correct == sum(count for _, count in found.answers)
    assert found.majority.correct >= len(pairs) / 3
    if found.overuse is not None:
        assert 0 <= found.overuse.p <= 1
        assert found.overuse.given == dict(found.answers)[found.overuse.answer]
    assert all(text.startswith("WARNING: ") and text.count(". ") <= 1 for text in cautions(found, found))


def simulated(
    stream: np.random.Generator, items: int, classes: int, skill: float, lean: float = 0.0
) -> Controls:
    """Return a model that knows a share ``skill`` of the answers and guesses the others; of these ``lean`` are class 0."""
    references = stream.integers(0, classes, items)
    guesses = np.where(stream.random(items) < lean, 0, stream.integers(0, classes, items))
    answers = np.where(stream.random(items) < skill, references, guesses)
    return measured(list(map(str, references)), list(map(str, answers)), ())


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_healthy_models_are_accused_of_no_collapse(classes: int) -> None:
    """The test's level is one in 1,000; 1,980 simulated models give one false alarm at most."""
    stream = np.random.default_rng(classes)
    alarms = sum(
        one_answer(simulated(stream, items, classes, skill).overuse) is not None
        for items in (50, 200)
        for skill in (0.0, 0.4, 0.8)
        for _ in range(330)
    )
    assert alarms <= 1


def test_models_that_lean_to_one_answer_are_found() -> None:
    stream = np.random.default_rng(0)
    found = [one_answer(simulated(stream, 200, 3, 0.1, lean=0.6).overuse) is not None for _ in range(200)]
    assert sum(found) >= 198
    none = [cautions(base, base) for base in (simulated(stream, 500, 3, 0.3) for _ in range(200))]
    assert sum(map(len, none)) == 0
