"""Reading data files: every kind, and every broken row named by its number."""

import contextlib
import json
import math
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from adastar_core.errors import DataError
from adastar_core.problems.rows import Row, parse_row, read_rows

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
        ("a.csv", b"question,answer\nx,1\ny\n", ["row 3", "1 cells under 2"]),
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


def test_columns_without_a_name_are_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("question, answer,,\nx,1,,\n")
    assert read_rows(tmp_path / "a.csv")[0].text("answer") == "1"


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
