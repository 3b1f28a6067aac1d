"""Reading data files: every kind, and every broken row named by its number."""

import contextlib
import csv
import gzip
import json
import math
from io import StringIO
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from adastar_core.errors import DataError
from adastar_core.problems.files import read_rows
from adastar_core.problems.headers import is_value
from adastar_core.problems.rows import Row, each, parse_row

ROWS = [{"question": "1+1?", "answer": "2"}, {"question": "two\nlines, ünïcode", "answer": "3"}]


def test_the_three_kinds_of_files_hold_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    (tmp_path / "a.csv").write_text('\ufeffquestion,answer\n1+1?,2\n"two\nlines, ünïcode",3\n', "utf-8")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    for suffix in ("jsonl", "csv", "parquet"):
        assert [row.values for row in read_rows(tmp_path / f"a.{suffix}")] == ROWS, suffix


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", b'{"question": "x"}\n{"question": \n', ["a.jsonl, row 2", "JSON"]),
        ("a.jsonl", b'{"question": "x"}\n\n{"question": "y"}\n', ["row 2", "empty"]),
        ("a.jsonl", b'{"question": "x"}\n[1]\n', ["row 2", "list", "not an object"]),
        ("a.jsonl", b'{"question": "x"}\n{"question": "\xff"}\n', ["row 2", "UTF-8"]),
        ("a.jsonl", b"[" * 100_000, ["row 1"]),
        ("a.jsonl", b'{"question": ' + b"7" * 5_000 + b"}", ["row 1", "digits"]),
        ("a.jsonl", b'{"question": "x"}\n{"question": "a\\u0000b"}\n', ["row 2", r"'\x00'", "Remove"]),
        ("a.jsonl", b'{"question": {"stem": ["\\ud800"]}}\n', ["row 1", r"'\ud800'"]),
        ("a.jsonl", b'{"\\udfff": 1}\n', ["row 1", r"'\udfff'"]),
        ("a.csv", b"question,answer\nx,1\ny\x00,2\n", ["row 3", r"'\x00'"]),
        ("a.jsonl", b"", ["no rows"]),
        ("a.csv", b"question,answer\nx,1\n\ny,2\n", ["row 3", "empty"]),
        ("a.csv", b"question,answer\nx,1\ny\n", ["row 3", "1 cell under 2"]),
        ("a.csv", b'question,answer\nx,"1\n', ["row 2", "not CSV"]),
        ("a.csv", b"question,answer, answer\nx,1,2\n", ["two columns are called 'answer'"]),
        ("a.jsonl", b'{"question": "x", "answer": 1, "answer": 2}\n', ["row 1", "'answer' occurs twice"]),
        ("a.jsonl", b'{"question": {"stem": "x", "stem": "y"}}\n', ["row 1", "'stem' occurs twice"]),
        ("a.parquet", b"no parquet at all", ["not a Parquet file"]),
        ("a.txt", b"x", ["cannot read this kind", ".jsonl"]),
    ],
)
def test_broken_files_name_the_row(tmp_path: Path, name: str, content: bytes, words: list[str]) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_rows(tmp_path / name)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.exit_status == 2


def test_two_columns_of_one_name_are_refused_in_parquet_too(tmp_path: Path) -> None:
    column = pyarrow.array(["x"])
    table = pyarrow.Table.from_arrays([column, column], names=["answer", "answer"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="two columns are called 'answer'"):
        read_rows(tmp_path / "a.parquet")


def test_a_column_without_a_name_is_called_by_its_place_and_an_empty_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(",question, answer,,\n0,x,1,,\n")
    assert read_rows(tmp_path / "a.csv")[0].values == {"column 1": "0", "question": "x", "answer": "1"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", b"PK\x03\x04rest", ["workbook", "CSV"]),
        ("a.csv", b"PK\x03\x04rest", ["workbook", "CSV"]),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ["workbook", "CSV"]),
        ("a.pdf", b"%PDF-1.7\n", ["PDF"]),
        ("a.csv.gz", gzip.compress(b"question,answer\nx,1\n", mtime=0), ["compressed", "gunzip"]),
        ("a.csv", gzip.compress(b"question,answer\nx,1\n", mtime=0), ["compressed", "gunzip"]),
        ("a.txt", b"question\tanswer\nx\t1\n", ["cannot read this kind", ".tsv", "rename"]),
        ("a", b"question\tanswer\nx\t1\n", ["cannot read this kind", "rename"]),
        ("a.csv", "question,answer\nMüller,1\n".encode("cp1252"), ["row 2", "'Müller,1'", "WINDOWS-1252"]),
        ("a.csv", b"question,answer\n\xff\x00,1\n", ["row 2", "not text"]),
        ("a.csv", b"\xff\xfe\x00", ["not UTF-16"]),
        *((f"a.{suffix}", b"", ["no rows"]) for suffix in ("jsonl", "json", "csv", "tsv", "parquet")),
    ],
)
def test_a_file_of_another_kind_is_told_what_to_do(
    tmp_path: Path, name: str, content: bytes, words: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_rows(tmp_path / name)
    assert all(word in str(caught.value) for word in [name, *words]), str(caught.value)
    assert len(str(caught.value)) < 300


def asked(number: int) -> str:
    return f"Tom has {number} pens and buys {number + 2}. How many has he?"


ROWS_ALONE = {
    "sums": [(asked(i), str(2 * i + 2)) for i in range(30)],
    "numbers": [(str(i), str(i + 1), str(2 * i + 1)) for i in range(30)],
    "classes": [(asked(i), ["yes", "no"][i % 2]) for i in range(30)],
    "solutions": [(asked(i), f"He has {i} and {i + 2}. #### {2 * i + 2}") for i in range(30)],
    "formulas": [(f"{i}+{i}", f"-{2 * i},5") for i in range(30)],
    "ids": [(f"q-{i}", asked(i), "ABC"[i % 3]) for i in range(30)],
}


@pytest.mark.parametrize("kind", ROWS_ALONE)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_without_a_line_of_names_is_refused_and_with_one_is_read(
    tmp_path: Path, kind: str, delimiter: str
) -> None:
    rows = [list(row) for row in ROWS_ALONE[kind]]
    names = ["id", "What was asked of you?", "answer"][-len(rows[0]) :]
    path = tmp_path / "a.csv"
    for before in ([], [names]):
        page = StringIO()
        csv.writer(page, delimiter=delimiter).writerows([*before, *rows])
        path.write_text(page.getvalue())
        if before:
            assert len(read_rows(path)) == 30
        else:
            with pytest.raises(DataError, match="is a row, not the columns' names"):
                read_rows(path)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("2024", ["high", "low", "high"]),
        ("0", ["What is it?", "Where is it?"]),
        ("col1", ["7", "8", "9"]),
        ("How many are there?", ["7", "8", "9"]),
        ("answer", ["answer", "7", "8"]),
        ("No.", ["1.", "2.", "3."]),
        ("A", ["red", "blue", "green"]),
        ("question", ["What is it?", "Where is it?"]),
        ("", ["", ""]),
    ],
)
def test_names_of_columns_are_no_values(name: str, cells: list[str]) -> None:
    assert not is_value(name, cells)


def test_rows_that_cannot_be_read_are_counted() -> None:
    rows = [Row("f", number, {"answer": None if number in (2, 5, 9) else "x"}) for number in range(1, 11)]
    with pytest.raises(
        DataError, match=r"^f: 3 of 10 rows .*row 2: the field 'answer' is missing or null and row 5"
    ):
        each(rows, lambda row: row.text("answer"))
    with pytest.raises(DataError, match=r"^f, row 2: the field 'answer'"):
        each(rows[:4], lambda row: row.text("answer"))
    assert each(rows[5:8], lambda row: row.number) == [6, 7, 8]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        read_rows(tmp_path / "absent.jsonl")


def test_fields_are_text_and_may_be_nested() -> None:
    row = Row(
        "f",
        7,
        {"a": {"b": " x "}, "n": 3, "empty": " ", "null": None, "list": [1], "flag": True, "nan": math.nan},
    )
    assert (row.text("a.b"), row.text("n"), row.first("z", "n")) == ("x", "3", "3")
    for field, word in [
        ("z", "missing"),
        ("null", "missing"),
        ("nan", "missing"),
        ("a.z", "missing"),
        ("empty", "empty"),
        ("list", "list"),
        ("flag", "bool"),
    ]:
        with pytest.raises(DataError, match=rf"f, row 7: .*{word}"):
            row.text(field)


@given(st.text())
def test_a_line_is_a_row_or_a_named_error(line: str) -> None:
    with contextlib.suppress(json.JSONDecodeError):
        if isinstance(json.loads(line), dict):
            assert isinstance(parse_row("f", 5, line), Row)
            return
    with pytest.raises(DataError, match=r"^f, row 5: "):
        parse_row("f", 5, line)


MANY: list[dict[str, object]] = [{"question": f"{i}; or, {i}?", "answer": i} for i in range(40)]


def lines_of(rows: list[dict[str, object]], delimiter: str) -> str:
    page = StringIO()
    writer = csv.writer(page, delimiter=delimiter)
    writer.writerows([list(rows[0]), *(row.values() for row in rows)])
    return page.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", json.dumps(MANY)),
        ("rows.json", json.dumps(MANY, indent=2)),
        ("rows.json", json.dumps({"version": "1", "data": MANY})),
        ("rows.json", json.dumps({"version": [1], "data": {"note": {"by": [{}]}, "items": MANY}})),
        ("rows.json", "".join(json.dumps(row) + "\n" for row in MANY)),
        ("rows.csv", lines_of(MANY, ",")),
        ("rows.csv", lines_of(MANY, ";")),
        ("rows.csv", lines_of(MANY, "\t")),
        ("rows.csv", lines_of(MANY, "|")),
        ("rows.tsv", lines_of(MANY, "\t")),
        ("rows.csv", lines_of(MANY, ",") + "\n \n"),
        ("rows.jsonl", "".join(json.dumps(row) + "\n" for row in MANY) + "\n\n"),
        ("rows.csv", "\N{ZERO WIDTH NO-BREAK SPACE}" + lines_of(MANY, ";")),
    ],
)
def test_every_common_form_of_a_table_gives_the_same_rows(tmp_path: Path, name: str, content: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / name).write_text(content, encoding)
        read = read_rows(tmp_path / name)
        assert [(row.text("question"), row.text("answer")) for row in read] == [
            (row["question"], str(row["answer"])) for row in MANY
        ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rows.json", "[1, 2]", ["row 1", "a JSON int"]),
        ("rows.json", '{"a": [{}], "b": [{}]}', ["2 arrays of objects: a, b"]),
        ("rows.json", '{"x": {"a": [{}], "b": {"c": [{}]}, "d": [{}]}}', ["2 arrays of objects: x.a, x.d"]),
        ("rows.json", '{"question": ["x"], "answer": [1]}', ["no array of objects"]),
        ("rows.json", '{"data": []}', ["no array of objects"]),
        ("rows.json", "3", ["no array of objects"]),
        ("rows.json", "[{]", ["not JSON"]),
        ("rows.json", "[]", ["holds no rows"]),
        ("rows.json", '[{"a": 1, "a": 2}]', ["'a'"]),
        ("rows.json", '{"a": 1}\n{"a": \n', ["row 2", "not a JSON object"]),
        ("rows.csv", "question,answer\nx,1\ny\n", ["row 3", "1 cell under 2 column names"]),
        ("rows.csv", "question\nx\n", ["one column, 'question'", "commas, semicolons or tabs"]),
    ],
)
def test_what_is_no_table_says_where(tmp_path: Path, name: str, content: str, words: list[str]) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(DataError) as caught:
        read_rows(tmp_path / name)
    assert all(word in str(caught.value) for word in [name, *words]), str(caught.value)


@pytest.mark.parametrize("asked", ["question", "Question", "QUESTION"])
def test_case_counts_only_where_names_differ_by_it_alone(asked: str) -> None:
    one = Row("x", 1, {"Question": "a", "inner": {"Text": "b"}})
    assert (one.text(asked), one.has(asked), one.text("inner.text")) == ("a", True, "b")
    two = Row("x", 1, {"Question": "a", "QUESTION": "b"})
    assert (two.text("Question"), two.text("QUESTION"), two.has("question")) == ("a", "b", False)


def test_a_dot_may_be_part_of_a_name() -> None:
    row = Row("x", 1, {"No. of": "a", "a": {"b": "c"}, "a.b": "d"})
    assert (row.text("No. of"), row.text("a.b"), row.has("a.b")) == ("a", "d", True)
