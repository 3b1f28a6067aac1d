"""Your own data: files, folders and saved data sets; splits; choices; errors that name the row."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from adastar_core.config import RunConfig
from adastar_core.errors import DataError
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.table import Table, TableSettings
from adastar_core.records import Choice, FinishReason, Outcome, Split


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def sums(count: int, start: int = 0) -> list[dict[str, object]]:
    return [
        {"name": f"s{i}", "question": f"How much is {i} plus {i}?", "answer": 2 * i}
        for i in range(start, start + count)
    ]


def ids(problem: Table, split: Split) -> list[str]:
    return [one.observation_id for one in problem.load(split)]


def everything(problem: Table) -> list[str]:
    return sorted(name for split in Split for name in ids(problem, split))


def test_one_file_is_split_by_the_ids_alone(tmp_path: Path) -> None:
    file = write(tmp_path / "all.jsonl", sums(400))
    problem = Table(TableSettings(path=str(file), id="name"))
    parts = {split: ids(problem, split) for split in Split}
    assert sorted(name for part in parts.values() for name in part) == sorted(f"s{i}" for i in range(400))
    assert 20 < len(parts[Split.TEST]) < 60
    assert 20 < len(parts[Split.VALIDATION]) < 60
    write(file, list(reversed(sums(500))))
    grown = Table(TableSettings(path=str(file), id="name"))
    for split in Split:
        assert set(parts[split]) <= set(ids(grown, split))


def test_a_test_file_leaves_the_training_file_whole_but_for_validation(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", sums(100))
    write(tmp_path / "test.jsonl", sums(10, start=1000))
    for settings in (
        TableSettings(path=str(tmp_path), id="name"),
        TableSettings(path=str(tmp_path / "train.jsonl"), test="test.jsonl", id="name"),
        TableSettings(path=str(tmp_path / "train.jsonl"), test=str(tmp_path / "test.jsonl"), id="name"),
    ):
        problem = Table(settings)
        assert ids(problem, Split.TEST) == [f"s{i}" for i in range(1000, 1010)]
        assert len(problem.load(Split.TRAIN)) + len(problem.load(Split.VALIDATION)) == 100


def test_limits_choose_by_hash_and_keep_the_order(tmp_path: Path) -> None:
    file = write(tmp_path / "all.jsonl", sums(100))
    whole = Table(TableSettings(path=str(file), id="name"))
    few = Table(TableSettings(path=str(file), id="name", train_limit=7, validation_limit=2, test_limit=1))
    assert [len(few.load(split)) for split in Split] == [7, 2, 1]
    assert [one for one in ids(whole, Split.TRAIN) if one in set(ids(few, Split.TRAIN))] == ids(
        few, Split.TRAIN
    )


def test_saved_data_sets_and_shards_are_read(tmp_path: Path) -> None:
    saved = DatasetDict({"train": Dataset.from_list(sums(30)), "test": Dataset.from_list(sums(5, start=100))})
    saved.save_to_disk(str(tmp_path / "saved"))
    problem = Table(TableSettings(path=str(tmp_path / "saved"), id="name"))
    assert len(problem.load(Split.TEST)) == 5
    shards = tmp_path / "shards"
    shards.mkdir()
    write(shards / "train-00000-of-00002.jsonl", sums(20))
    write(shards / "train-00001-of-00002.jsonl", sums(20, start=20))
    problem = Table(TableSettings(path=str(shards), id="name"))
    assert sum(len(problem.load(split)) for split in Split) == 40


def test_rows_without_ids_are_named_by_their_content(tmp_path: Path) -> None:
    rows = sums(30)
    file = write(tmp_path / "all.jsonl", [*rows, rows[3]])
    first = Table(TableSettings(path=str(file)))
    named = everything(first)
    assert len(set(named)) == 31
    write(file, [rows[3], *reversed(rows)])
    assert everything(Table(TableSettings(path=str(file)))) == named


@pytest.mark.parametrize(
    ("row", "settings", "words"),
    [
        ({"question": "x"}, {}, ["row 2", "'answer' is missing"]),
        ({"question": " ", "answer": 1}, {}, ["row 2", "'question' is empty"]),
        ({"question": "x", "answer": [1]}, {}, ["row 2", "list"]),
        ({"question": "x", "answer": 1, "name": "s0"}, {"id": "name"}, ["row 2", "'s0'", "row 1"]),
        (
            {"question": "x", "answer": 1, "name": "s9", "options": "no JSON"},
            {"choices": "options"},
            ["row 1", "options"],
        ),
        (
            {"question": "x", "answer": 1},
            {"question": "ask"},
            ["no column 'ask' (problem.question)", "problem.answer=answer"],
        ),
    ],
)
def test_bad_rows_are_named(
    tmp_path: Path, row: dict[str, object], settings: dict[str, str], words: list[str]
) -> None:
    file = write(tmp_path / "all.jsonl", [*sums(1), row])
    with pytest.raises(DataError) as caught:
        Table(TableSettings(path=str(file), **settings)).load(Split.TRAIN)  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in ["all.jsonl", *words]), str(caught.value)


@pytest.mark.parametrize(
    ("options", "answer", "label"),
    [
        (["red", "green"], "B", "B"),
        (["red", "green"], "green", "B"),
        (["red", "green"], 0, "A"),
        (["red", "green"], 2, "B"),
        ([{"label": "1", "text": "red"}, {"label": "2", "text": "green"}], 2, "2"),
        ({"label": ["A", "B"], "text": ["red", "green"]}, "A", "A"),
        ({"A": "red", "B": "green", "C": None}, "B", "B"),
        ('{"1": "red", "2": "green"}', 2, "2"),
        ('["red", "green"]', "green", "B"),
    ],
)
def test_choices_come_in_every_usual_shape(
    tmp_path: Path, options: object, answer: object, label: str
) -> None:
    rows: list[dict[str, object]] = [
        {"question": f"{i}?", "options": options, "answer": answer} for i in range(40)
    ]
    file = write(tmp_path / "all.jsonl", rows)
    problem = Table(TableSettings(path=str(file), choices="options", verifier="choice"))
    one = problem.load(Split.TRAIN)[0]
    assert one.answer == label
    assert [choice.text for choice in one.choices] == ["red", "green"]
    assert f"({label})" in problem.hinted_prompt(one).splitlines()[0]


@pytest.mark.parametrize(
    "options",
    [
        ["red"],
        ["red", None],
        [["red"], ["green"]],
        {"label": ["A"], "text": []},
        {"A": "red", "B": ["green"]},
        {"colour": "red", "size": "small"},
        5,
        [{"label": "A", "text": "x"}] * 2,
        '["red", "\\ud800"]',
        f"[1, {'7' * 5_000}]",
    ],
)
def test_choices_of_another_shape_are_refused(tmp_path: Path, options: object) -> None:
    file = write(tmp_path / "all.jsonl", [{"question": "?", "options": options, "answer": "A"}])
    with pytest.raises(DataError, match="row 1"):
        Table(TableSettings(path=str(file), choices="options")).load(Split.TRAIN)


def test_an_answer_that_is_no_option_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "all.jsonl", [{"question": "?", "options": ["red", "green"], "answer": "C"}])
    with pytest.raises(DataError, match="'C' is none of the choices A, B"):
        Table(TableSettings(path=str(file), choices="options")).load(Split.TRAIN)


def test_exemplars_come_from_a_file_and_shots_take_the_first(tmp_path: Path) -> None:
    file = write(tmp_path / "all.jsonl", sums(40))
    shown = write(
        tmp_path / "shown.jsonl",
        [{**row, "rationale": f"Because of {row['answer']}."} for row in sums(3, start=500)],
    )
    problem = Table(TableSettings(path=str(file), exemplars=str(shown), shots=2))
    one = problem.load(Split.TRAIN)[0]
    assert problem.prompt(one).count("Because of") == 2
    assert problem.prompt(one).endswith(problem.training_prompt(one))
    assert "Because" not in problem.training_prompt(one)
    with pytest.raises(DataError, match=r"shots \(4\)"):
        Table(TableSettings(path=str(file), exemplars=str(shown), shots=4))
    write(shown, sums(1))
    with pytest.raises(DataError, match="rationale"):
        Table(TableSettings(path=str(file), exemplars=str(shown)))
    write(shown, [{**row, "answer": "NA", "rationale": "r"} for row in sums(2)])
    with pytest.raises(DataError, match=r"shown\.jsonl, row 1: 'NA', row 2: 'NA': 2 of 2 reference answers"):
        Table(TableSettings(path=str(file), exemplars=str(shown)))


def test_folders_that_leave_the_part_open_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "one.jsonl", sums(10))
    write(tmp_path / "two.jsonl", sums(10))
    with pytest.raises(DataError, match=r"none of one\.jsonl, two\.jsonl is called train"):
        Table(TableSettings(path=str(tmp_path))).load(Split.TRAIN)
    assert Table(TableSettings(path=str(tmp_path), train="two.jsonl")).load(Split.TRAIN)
    write(tmp_path / "train_a.jsonl", sums(10))
    write(tmp_path / "train_b.jsonl", sums(10))
    with pytest.raises(DataError, match="all look like the train part"):
        Table(TableSettings(path=str(tmp_path))).load(Split.TRAIN)
    with pytest.raises(DataError, match="no such file"):
        Table(TableSettings(path=str(tmp_path / "absent.jsonl"))).load(Split.TRAIN)


def test_too_little_data_for_three_parts_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "all.jsonl", sums(1))
    with pytest.raises(DataError, match="has no observations"):
        Table(TableSettings(path=str(file))).load(Split.TRAIN)


def test_a_hub_name_that_cannot_be_reached_is_the_users_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_keywords: object) -> None:
        raise ConnectionError("no network in tests")

    monkeypatch.setattr("datasets.load_dataset", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(DataError, match=r"nobody/nothing: .*hub.*no network"):
        Table(TableSettings(path="nobody/nothing")).load(Split.TRAIN)


def test_the_configuration_opens_a_table_and_its_verdicts_are_the_verifiers(tmp_path: Path) -> None:
    file = write(tmp_path / "all.jsonl", sums(40))
    config = RunConfig.model_validate({"problem": {"type": "table", "path": str(file)}})
    problem = open_problem(config.problem)
    one = problem.load(Split.TRAIN)[0]
    assert problem.verifier.verify(one, f"#### {one.answer}", FinishReason.EOS).outcome is Outcome.RIGHT
    assert problem.rationale_is_correct(one, "anything") is None
    assert problem.stop[0] == "\n\nQ:"
    assert one.choices == tuple[Choice, ...]()


# What a public file of multiple-choice questions is like: indices from 0 among options that may be numbers themselves.
MMLU: list[dict[str, object]] = [
    {
        "question": f"{n}: find the order of the factor group.",
        "choices": ["8", "2", "24", "120"],
        "answer": n % 4,
    }
    for n in range(40)
]


def mmlu(folder: Path, rows: list[dict[str, object]], **settings: str) -> Table:
    values = {"path": str(write(folder / "all.jsonl", rows)), "choices": "choices", "verifier": "choice"}
    return Table(TableSettings.model_validate(values | settings))


def answers(problem: Table) -> dict[str, str]:
    return {one.question: one.answer for split in Split for one in problem.load(split)}


def test_the_whole_column_decides_that_answers_are_indices(tmp_path: Path) -> None:
    expected = {str(row["question"]): "ABCD"[n % 4] for n, row in enumerate(MMLU)}
    assert answers(mmlu(tmp_path, MMLU)) == expected
    counted_from_1 = [{**row, "answer": n % 4 + 1} for n, row in enumerate(MMLU)]
    assert answers(mmlu(tmp_path, counted_from_1)) == expected
    as_text = [{**row, "answer": row["choices"][n % 4]} for n, row in enumerate(MMLU)]  # type: ignore[index]
    assert answers(mmlu(tmp_path, as_text)) == expected
    as_label = [{**row, "answer": "ABCD"[n % 4]} for n, row in enumerate(MMLU)]
    assert answers(mmlu(tmp_path, as_label)) == expected
    in_a_csv = [{**row, "answer": str(row["answer"])} for row in MMLU]
    assert answers(mmlu(tmp_path, in_a_csv)) == expected
    with_nulls_elsewhere = [{**row, "answer": float(str(row["answer"]))} for row in MMLU]
    assert answers(mmlu(tmp_path, with_nulls_elsewhere)) == expected


@pytest.mark.parametrize("answer", [4.0, "4.0"])
def test_an_answer_written_as_a_decimal_option_is_that_option(tmp_path: Path, answer: object) -> None:
    rows = [{"question": "Which?", "choices": [4.0, 2.5, 3.0, 1.0], "answer": answer}]
    rows += [{**rows[0], "question": f"{n}?"} for n in range(40)]
    assert set(answers(mmlu(tmp_path, rows)).values()) == {"A"}
    whole = [{**row, "answer": 4} for row in rows]
    with pytest.raises(DataError, match="option A as text, option D as index_from_1"):
        mmlu(tmp_path, whole).load(Split.TRAIN)
    by_index = [{**row, "answer": float(n % 4)} for n, row in enumerate(rows)]
    assert set(answers(mmlu(tmp_path, by_index, answer_as="index_from_0")).values()) == set("ABCD")


def test_a_whole_number_may_be_written_as_a_decimal_in_a_label_or_an_option(tmp_path: Path) -> None:
    labelled = {"label": [1, 2], "text": ["a", "b"]}
    assert set(
        answers(mmlu(tmp_path, [{**row, "choices": labelled, "answer": 2.0} for row in MMLU])).values()
    ) == {"2"}
    texts = [{**row, "choices": [70, 80], "answer": 80.0} for row in MMLU]
    assert set(answers(mmlu(tmp_path, texts)).values()) == {"B"}


def test_an_answer_with_two_readings_is_refused_until_one_is_chosen(tmp_path: Path) -> None:
    rows = [{**row, "answer": 2} for row in MMLU]
    with pytest.raises(DataError) as caught:
        mmlu(tmp_path, rows).load(Split.TRAIN)
    for words in ("row 1", "'2'", "option B as text", "option C as index_from_0", "problem.answer_as"):
        assert words in str(caught.value)
    for answer_as, label in {"text": "B", "index_from_0": "C", "index_from_1": "B"}.items():
        assert set(answers(mmlu(tmp_path, rows, answer_as=answer_as)).values()) == {label}


def test_exemplars_name_their_options_as_the_data_do(tmp_path: Path) -> None:
    shown = [{**row, "answer": n + 1, "rationale": "r"} for n, row in enumerate(MMLU[:4])]
    exemplars = str(write(tmp_path / "shown.jsonl", shown))
    assert [one.observation.answer for one in mmlu(tmp_path, MMLU, exemplars=exemplars).exemplars] == list(
        "ABCD"
    )
    with pytest.raises(
        DataError, match=r"index_from_0 does not fit shown\.jsonl row 4, index_from_1 does not fit all"
    ):
        mmlu(tmp_path, MMLU, exemplars=exemplars).load(Split.TRAIN)


def test_answers_that_no_one_reading_fits_are_refused(tmp_path: Path) -> None:
    both_ends = [{**MMLU[0], "choices": ["a", "b"], "answer": answer} for answer in (0, 1, 2)]
    with pytest.raises(
        DataError,
        match=r"index_from_0 does not fit all\.jsonl row 3, index_from_1 does not fit all\.jsonl row 1",
    ):
        mmlu(tmp_path, both_ends).load(Split.TRAIN)
    beyond = [*MMLU, {**MMLU[0], "answer": 7}]
    with pytest.raises(DataError, match="row 41: the answer '7' is none of the choices A, B, C, D"):
        mmlu(tmp_path, beyond).load(Split.TRAIN)


def test_labels_in_some_rows_and_texts_in_others_are_read_where_they_agree(tmp_path: Path) -> None:
    rows = [
        {**row, "choices": ["red", "green"], "answer": ("B", "green")[n % 2]} for n, row in enumerate(MMLU)
    ]
    assert set(answers(mmlu(tmp_path, rows)).values()) == {"B"}


@pytest.mark.parametrize(
    ("verifier", "unreadable"),
    [
        ("number", ["five", "NA", "True", "5 or 6", "more than 5", "x", "0,080"]),
        (
            "number",
            ["She sold 48/2 = 24 in May.\nShe sold 24+48 = 72 in all.", "She has 9 eggs. Then she has 18."],
        ),
        ("number", ["3 * 6 = 18\n#### 18\nThe answer is 19."]),
        ("yes_no", ["perhaps", "yes and no", "1"]),
        ("math", ["the answer cannot be found from what is given"]),
        ("exact", ["two\nlines", "Answer: one. The answer is two."]),
        ("label", ["***"]),
    ],
)
def test_references_are_read_by_the_verifier_before_anything_is_spent(
    tmp_path: Path, verifier: str, unreadable: list[str]
) -> None:
    good = {"number": "5", "yes_no": "no", "math": "x^2", "exact": "a word", "label": "neutral"}[verifier]
    rows: list[dict[str, object]] = [{"question": f"{n}?", "answer": good} for n in range(40)]
    settings = {"path": str(tmp_path / "all.jsonl"), "verifier": verifier}
    for answer in unreadable:
        write(tmp_path / "all.jsonl", [*rows, *({"question": "bad?", "answer": answer} for _ in range(200))])
        with pytest.raises(DataError) as caught:
            Table(TableSettings.model_validate(settings)).load(Split.TRAIN)
        for words in ("all.jsonl, row 41: ", "row 43: ", "200 of 240", "problem.verifier"):
            assert words in str(caught.value)
    write(tmp_path / "all.jsonl", rows)
    assert Table(TableSettings.model_validate(settings)).load(Split.TRAIN)


@pytest.mark.parametrize(
    ("written", "response"),
    [
        (
            "Janet sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\nShe makes 9 * 2 = $<<9*2=18>>18 a day.\n#### 18",
            "18",
        ),
        ("So it is 18. The answer is 18.", "18"),
        ("In the end the answer is <<9*2=18>>18 eggs.\nShe has 18.\n#### 18", "18"),
        ("\\boxed{18}", "18"),
        ("−5", "-5"),
        ("1,080", "1080"),
        ("25%", "0.25"),
        ("$72.50", "72.5"),
        ("½", "0.5"),
        ("3 1/2", "7/2"),
        ("1.5 × 10^3", "1500"),
        ("2 million", "2,000,000"),
        ("72 clips in all", "72"),
    ],
)
def test_references_are_written_as_responses_are(tmp_path: Path, written: str, response: str) -> None:
    rows: list[dict[str, object]] = [{"question": f"{n}?", "answer": written} for n in range(40)]
    problem = Table(TableSettings(path=str(write(tmp_path / "all.jsonl", rows))))
    one = problem.load(Split.TRAIN)[0]
    assert problem.verifier.verify(one, f"#### {response}", FinishReason.EOS).outcome is Outcome.RIGHT


def test_a_solution_with_two_different_answers_is_refused_as_that(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"question": f"{n}?", "answer": f"\\boxed{{{n}}}"} for n in range(40)]
    rows[2]["answer"] = "\\boxed{12} or rather \\boxed{13}"
    file = write(tmp_path / "all.jsonl", rows)
    with pytest.raises(DataError, match=r"row 3: '13': 1 of 40 solutions declare two different answers"):
        Table(TableSettings(path=str(file))).load(Split.TRAIN)


def test_a_class_is_declared_as_the_reference_names_it(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"question": f"{n}?", "answer": "the Beatles"} for n in range(40)]
    problem = Table(TableSettings(path=str(write(tmp_path / "all.jsonl", rows)), verifier="label"))
    one = problem.load(Split.TRAIN)[0]
    for response in ("The answer is the Beatles.", "The answer is Beatles"):
        assert problem.verifier.verify(one, response, FinishReason.EOS).outcome is Outcome.RIGHT


def test_messages_name_a_row_by_how_its_question_begins(tmp_path: Path) -> None:
    file = write(
        tmp_path / "all.jsonl", [{"question": f"{n} and " + "more " * 40, "answer": n} for n in range(40)]
    )
    one = Table(TableSettings(path=str(file))).load(Split.TRAIN)[0]
    assert one.shown == f"{one.observation_id!r} ({one.question[:60]!r})"
    assert replace(one, observation_id="2+2", question="2+2").shown == "'2+2'"
