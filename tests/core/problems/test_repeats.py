"""Questions that the data asks more than once: in one split, counted, and contradictions kept out of measurement."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.problems.repeats import spelling
from adastar_core.problems.splits import carve
from adastar_core.problems.table import Table, TableSettings
from adastar_core.records import Choice, Observation, Split

WAYS = (str, str.upper, str.title, "  {}  ".format, "{}?".format, lambda text: text.replace("1", "\uff11"))
questions = st.builds(
    lambda number, way: way(f"How much is {number} + 1"), st.integers(0, 30), st.sampled_from(WAYS)
)


def table(folder: Path, rows: list[dict[str, object]], **settings: object) -> Table:
    path = folder / "all.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return Table(TableSettings.model_validate({"path": str(path), **settings}))


@given(st.lists(questions, max_size=60), st.integers(0, 60), st.floats(0.05, 0.95))
def test_equal_questions_are_in_one_split_and_more_of_them_move_none(
    asked: list[str], before: int, share: float
) -> None:
    everything = [Observation(f"id-{place}", question, "1") for place, question in enumerate(asked)]
    stay, carved = carve(everything, "test", share)
    assert sorted(one.observation_id for one in (*stay, *carved)) == sorted(
        one.observation_id for one in everything
    )
    assert not {spelling(one) for one in stay} & {spelling(one) for one in carved}
    earlier_stay, earlier_carved = carve(everything[:before], "test", share)
    assert set(earlier_stay) <= set(stay)
    assert set(earlier_carved) <= set(carved)


@pytest.mark.parametrize("settings", [{}, {"id": "name"}])
def test_no_validation_or_test_question_is_trained_on(tmp_path: Path, settings: dict[str, object]) -> None:
    rows: list[dict[str, object]] = [
        {"name": f"{n}-{copy}", "question": f"{n} + 1 ={' ' * copy}?", "answer": n + 1}
        for copy in range(2)
        for n in range(60)
    ]
    problem = table(tmp_path, rows, **settings)
    asked = {split: {spelling(one) for one in problem.load(split)} for split in Split}
    assert sum(len(problem.load(split)) for split in Split) == 120
    assert not asked[Split.TRAIN] & asked[Split.VALIDATION]
    assert not asked[Split.TRAIN] & asked[Split.TEST]
    assert not asked[Split.VALIDATION] & asked[Split.TEST]
    (note,) = problem.notes
    assert (
        "60 questions (120 rows) more than once, e.g. all.jsonl row 1 ('1') and all.jsonl row 61 ('1')"
        in note
    )


def test_questions_with_different_answers_are_counted_named_and_not_measured_on(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"question": f"{n} + 1?", "answer": n + 1} for n in range(60)]
    rows += [{"question": f"{n} + 1", "answer": f"{n + 1}.0" if n < 30 else n} for n in range(60)]
    problem = table(tmp_path, rows)
    measured = {
        one.question.strip("?") for split in (Split.VALIDATION, Split.TEST) for one in problem.load(split)
    }
    assert measured
    assert all(int(question.split()[0]) < 30 for question in measured)
    agreeing, contradictory = problem.notes
    assert "30 questions (60 rows) more than once" in agreeing
    assert (
        "30 questions (60 rows) different answers: all.jsonl row 31 ('31') and all.jsonl row 91 ('30')"
        in contradictory
    )


def test_options_in_another_order_ask_the_same_and_answer_by_text(tmp_path: Path) -> None:
    first = Observation("a", "Cold?", "A", (Choice("A", "ice"), Choice("B", "tea")))
    second = Observation("b", "cold", "B", (Choice("A", "Tea"), Choice("B", "Ice")))
    assert spelling(first) == spelling(second)
    rows: list[dict[str, object]] = [
        {"question": f"{n}: cold", "choices": choices, "answer": answer}
        for n in range(40)
        for choices, answer in ((["ice", "tea"], "A"), (["tea", "ice"], "B"))
    ]
    problem = table(tmp_path, rows, choices="choices", verifier="choice")
    assert [note.partition(",")[0] for note in problem.notes] == [
        "The data asks 40 questions (80 rows) more than once"
    ]


def test_data_without_repetitions_have_nothing_to_say(tmp_path: Path) -> None:
    assert table(tmp_path, [{"question": f"{n} - 1?", "answer": n - 1} for n in range(60)]).notes == ()
