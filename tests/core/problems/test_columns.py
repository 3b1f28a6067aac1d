"""Which columns hold what, on tables whose columns have any name, and on real ones."""

import json
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict
from pydantic import ValidationError

from adastar_core.errors import DataError
from adastar_core.problems.columns import Columns, guess_columns
from adastar_core.problems.rows import Row
from adastar_core.problems.table import Table, TableSettings
from adastar_core.records import Split

STORIES = [f"Anna has {i} apples and buys {i + 3} more. How many has she?" for i in range(60)]
OPTIONS = ["red", "blue", "green"]


def rows(**columns: list[object]) -> list[Row]:
    names = list(columns)
    return [
        Row("x.csv", place, dict(zip(names, cells, strict=True)))
        for place, cells in enumerate(zip(*columns.values(), strict=True), 1)
    ]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"question": STORIES, "answer": list(range(60))}, Columns("question", "answer")),
        ({"Answer": list(range(60)), "Question": STORIES}, Columns("Question", "Answer")),
        ({"Frage": STORIES, "Lösung": [3 * i % 50 for i in range(60)]}, Columns("Frage", "Lösung")),
        (
            {"nr": list(range(60)), "Aufgabentext": STORIES, "Ergebnis": [i * i % 97 for i in range(60)]},
            Columns("Aufgabentext", "Ergebnis"),
        ),
        (
            {"id": [f"r{i}" for i in range(60)], "a": STORIES, "b": ["yes", "no"] * 30},
            Columns("a", "b", id="id"),
        ),
        (
            {"prompt": STORIES, "completion": [f"So it is {i}. #### {i}" for i in range(60)]},
            Columns("prompt", "completion"),
        ),
        (
            {
                "x": [f"A long way to say that it is so. #### {i}" for i in range(60)],
                "y": [s[:40] for s in STORIES],
            },
            Columns("y", "x"),
        ),
        (
            {"stem": STORIES, "Options": [OPTIONS] * 60, "key": ["A", "B", "C"] * 20},
            Columns("stem", "key", "Options"),
        ),
        (
            {"stem": STORIES, "o": [json.dumps(OPTIONS)] * 60, "key": ["A", "B", "C"] * 20},
            Columns("stem", "key", "o"),
        ),
        (
            {
                "stem": STORIES,
                "opts": [dict(zip("ABC", OPTIONS, strict=True))] * 60,
                "key": ["A", "B", "C"] * 20,
            },
            Columns("stem", "key", "opts"),
        ),
        (
            {"question": STORIES, "tags": [["x", "y"]] * 60, "answer": list(range(7, 67))},
            Columns("question", "answer", unfit=("tags",)),
        ),
        (
            {
                "question": STORIES,
                "answer1": list(range(60)),
                "answer2": list(range(9, 69)),
                "answer": list(range(60)),
            },
            Columns("question", "answer"),
        ),
        (
            {
                "premise": STORIES,
                "choice1": [f"left {i}" for i in range(60)],
                "choice2": [f"right {i}" for i in range(60)],
                "label": [0, 1] * 30,
            },
            Columns("premise", "label", options=(("0", "choice1"), ("1", "choice2"))),
        ),
        (
            {
                "question": STORIES,
                "rater_1": ["A", "B"] * 30,
                "rater_2": ["B", "B"] * 30,
                "answer": ["A", "B"] * 30,
            },
            Columns("question", "answer"),
        ),
    ],
)
def test_columns_are_found_by_name_and_by_what_is_in_them(
    columns: dict[str, list[object]], found: Columns
) -> None:
    assert guess_columns(rows(**columns)) == found


def test_what_is_given_is_kept_and_the_rest_is_found() -> None:
    table = rows(question=STORIES, other=[text.upper() for text in STORIES], answer=list(range(60)))
    assert guess_columns(table, question="other") == Columns("other", "answer")


@pytest.mark.parametrize("columns", [{"question": STORIES}, {"n": [1] * 60, "m": [2] * 60}])
def test_what_cannot_be_found_is_asked_for(columns: dict[str, list[object]]) -> None:
    with pytest.raises(
        DataError, match=r"none of the columns .* looks like the (question|answer)\. Name it: --"
    ):
        guess_columns(rows(**columns))


def test_a_table_without_the_columns_is_told_which_it_may_mean(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        "".join(json.dumps({"Frage": text, "Wert": place}) + "\n" for place, text in enumerate(STORIES))
    )
    with pytest.raises(
        DataError,
        match=r"no column 'question'.*only Frage, Wert.*problem\.question=Frage and problem\.answer=Wert",
    ):
        Table(TableSettings(path=str(path))).load(Split.TRAIN)


def test_capitalised_columns_need_no_setting(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        "".join(json.dumps({"Question": text, "Answer": place}) + "\n" for place, text in enumerate(STORIES))
    )
    assert len(Table(TableSettings(path=str(path))).everything()) == 60


def test_folders_of_the_datasets_library_load(tmp_path: Path) -> None:
    """One saved, with and without parts, and one as the hub's repositories are."""
    part = Dataset.from_dict({"question": STORIES, "answer": list(range(60))})
    part.save_to_disk(str(tmp_path / "one"))
    DatasetDict({"train": part, "test": part.select(range(9))}).save_to_disk(str(tmp_path / "parts"))
    for folder in ("repository/data", "subset/main"):
        (tmp_path / folder).mkdir(parents=True)
        part.to_parquet(tmp_path / folder / "train-00000-of-00001.parquet")
        part.select(range(9)).to_parquet(tmp_path / folder / "test-00000-of-00001.parquet")
    (tmp_path / "repository" / "README.md").write_text("# A data set\n")
    assert len(Table(TableSettings(path=str(tmp_path / "one"))).everything()) == 60
    for name, subset in (("parts", None), ("repository", None), ("subset", "main")):
        assert len(Table(TableSettings(path=str(tmp_path / name), subset=subset)).load(Split.TEST)) == 9


@pytest.mark.parametrize("key", ["question", "context", "choices"])
def test_a_column_that_is_the_answers_is_not_shown(key: str) -> None:
    table = rows(question=list(STORIES), answer=list(range(60)))
    with pytest.raises(DataError, match="the column 'answer' holds the answer"):
        guess_columns(table, answer="answer", **{key: "answer"})


def test_a_configuration_cannot_ask_for_the_answer_by_showing_it() -> None:
    with pytest.raises(ValidationError, match="question \\(Answer\\) is the answer's column too"):
        TableSettings(path="x.csv", question="Answer", answer="answer")
