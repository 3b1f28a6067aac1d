"""``adastar judge``: verdict lines for response lines, and errors that name the line."""

import io
import json
from pathlib import Path

import pytest

from adastar_core import cli
from adastar_core.audit.responses import judge
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings

GSM8K = {"question": "How many?", "answer": "24 + 48 = 72\n#### 72"}
ARC = {
    "id": "M1",
    "question": "Cold?",
    "choices": {"label": ["1", "2"], "text": ["ice", "tea"]},
    "answerKey": "1",
}
SUM = {"question": "12+30"}
PUZZLE = {"question": "3 4 7 -> 25"}
PAIR = {"ask": "Half?", "solution": r"\frac{1}{2}"}


def lines(*pairs: tuple[object, str]) -> str:
    return "".join(json.dumps({"row": row, "response": response}) + "\n" for row, response in pairs)


@pytest.mark.parametrize(
    ("arguments", "content", "verdicts"),
    [
        (
            ["gsm8k"],
            lines((GSM8K, "#### 72"), (GSM8K, "#### 73"), (GSM8K, "The answer is 72 or 73")),
            ["right", "wrong", "undecided"],
        ),
        (
            ["arc_challenge"],
            lines((ARC, "The answer is (1)."), (ARC, "The answer is tea.")),
            ["right", "wrong"],
        ),
        (["arithmetic"], lines((SUM, "2+0+0=02\n1+3+0=04\n#### 42"), (SUM, "#### 41")), ["right", "wrong"]),
        (["countdown"], lines((PUZZLE, "#### 4+7*3"), (PUZZLE, "#### 4+7+3")), ["right", "wrong"]),
        (
            ["table", "--set", "question=ask", "--set", "answer=solution", "--set", "verifier=math"],
            lines((PAIR, "The answer is $0.5$."), (PAIR, "The answer is $x$.")),
            ["right", "wrong"],
        ),
        (
            ["table", "--set", "choices=options", "--set", "verifier=choice"],
            lines(
                ({"question": "a?", "options": ["1", "0"], "answer": 1}, "The answer is (B)."),
                ({"question": "b?", "options": ["x", "y"], "answer": 0}, "The answer is (B)."),
            ),
            ["right", "wrong"],
        ),
        (["gsm8k", "--set", "fall_back=true"], lines((GSM8K, "It is 72")), ["right"]),
    ],
)
def test_verdicts_in_order(tmp_path: Path, arguments: list[str], content: str, verdicts: list[str]) -> None:
    (tmp_path / "in.jsonl").write_text(content, "utf-8")
    output = tmp_path / "out.jsonl"
    assert (
        cli.main(["judge", "--problem", *arguments, str(tmp_path / "in.jsonl"), "--output", str(output)]) == 0
    )
    written = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [one["verdict"] for one in written] == verdicts
    assert all({"verdict", "extracted", "reason", "verifier"} <= set(one) for one in written)


@pytest.mark.parametrize("response", ["#### 7\ud800", "\udfff\x00", "The answer is \x00\ud800."])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_response_that_cannot_be_written_is_judged(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], options: list[str], response: str
) -> None:
    (tmp_path / "in.jsonl").write_text(lines((GSM8K, response)), "utf-8")
    assert cli.main(["judge", *options, "--problem", "gsm8k", str(tmp_path / "in.jsonl")]) == 0
    assert b'"verdict"' in capsysbinary.readouterr().out


def test_standard_output_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text(lines((GSM8K, "#### 72")) * 300, "utf-8")
    assert cli.main(["judge", "--problem", "gsm8k", str(tmp_path / "in.jsonl")]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 300
    assert "300 responses judged by number/3: 300 right" in captured.err


def test_one_document_when_json_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.jsonl").write_text(lines((GSM8K, "#### 72"), (GSM8K, "#### 7")), "utf-8")
    assert cli.main(["judge", "--json", "--problem", "gsm8k", str(tmp_path / "in.jsonl")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["outcomes"] == {"right": 1, "wrong": 1}
    assert [one["verdict"] for one in document["verdicts"]] == ["right", "wrong"]


@pytest.mark.parametrize(
    ("problem", "content", "words"),
    [
        ("gsm8k", lines((GSM8K, "x")) + "\n", ["row 2", "empty"]),
        ("gsm8k", "{", ["row 1", "JSON"]),
        ("gsm8k", lines((GSM8K | {"question": "\ud800"}, "x")), ["row 1", "cannot be stored"]),
        ("gsm8k", lines((GSM8K | {"question": "a\x00"}, "x")), ["row 1", "cannot be stored"]),
        ("gsm8k", f'{{"response": {"7" * 5_000}}}\n', ["row 1", "digits"]),
        ("gsm8k", '{"row": {}}\n', ["row 1", "'response' is missing"]),
        ("gsm8k", '{"row": 5, "response": "x"}\n', ["row 1", "'row' is a int"]),
        ("gsm8k", '{"row": {"question": "x", "answer": "#### 1"}, "response": 5}\n', ["'response' is a int"]),
        (
            "gsm8k",
            '{"row": {}, "response": "x", "finish_reason": "bored"}\n',
            ["finish_reason", "bored", "eos"],
        ),
        ("gsm8k", '{"row": {"question": "x"}, "response": "x"}\n', ["row 1", "'answer' is missing"]),
        ("arithmetic", lines(({"question": "1+x"}, "x")), ["row 1", "'1+x'"]),
        ("countdown", lines(({"question": "3 4 -> x"}, "x")), ["row 1", "'3 4 -> x'"]),
        ("countdown", lines(({"question": "1 1 -> 9"}, "x")), ["row 1", "no solution"]),
        ("arithmatic", lines((SUM, "x")), ["arithmatic", "arithmetic"]),
    ],
)
def test_errors_name_the_line_and_leave_no_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: str, content: str, words: list[str]
) -> None:
    (tmp_path / "in.jsonl").write_text(content, "utf-8")
    assert (
        cli.main(
            ["judge", "--problem", problem, str(tmp_path / "in.jsonl"), "--output", str(tmp_path / "out")]
        )
        == 2
    )
    printed = capsys.readouterr().err
    assert all(word in printed for word in words), printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


def test_a_missing_file_is_the_users_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", "--problem", "gsm8k", str(tmp_path / "absent.jsonl")]) == 2
    assert "absent.jsonl" in capsys.readouterr().err


def test_a_cut_response_is_undecided() -> None:
    line = json.dumps({"row": SUM, "response": "#### 42", "finish_reason": "length"})
    (judged,) = judge(Arithmetic(ArithmeticSettings()), io.StringIO(line), "memory")
    assert judged.verdict.outcome == "undecided"
