"""From a table with odd column names and a model to a run: ``adastar init``, then the file that it wrote."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from adastar_core import cli
from adastar_core.config import RunConfig, files
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.planning.plan import plan_of
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Split
from tests.core.problems.test_chat import BODY
from tests.support.tiny_llama import write_tiny_llama

OPTIONS = ["red", "blue", "green"]
LABELS = ["calm", "cross", "glad"]


def additions(path: Path, count: int = 200) -> Path:
    """Write a table as a spreadsheet does: semicolons, a running number, and columns in another language."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Lfd. Nr.", "Aufgabe", "Ergebnis", "Stufe"])
        writer.writerows(
            [i, f"{10 + i % 90}+{11 + i * 7 % 89}", 21 + i % 90 + i * 7 % 89, "leicht"]
            for i in range(1, count + 1)
        )
    return path


def records(path: Path, kind: str, count: int = 120) -> Path:
    row = {
        "number": lambda i: {"q": f"Question {i}?", "a": i},
        "solution": lambda i: {
            "q": f"Question {i}?",
            "a": f"{i} and {i} are {2 * i}, as one sees. #### {2 * i}",
        },
        "choice": lambda i: {"stem": f"Question {i}?", "opts": OPTIONS, "key": "ABC"[i % 3]},
        "yes_no": lambda i: {"claim": f"Is {i} even?", "truth": ["yes", "no"][i % 2]},
        "label": lambda i: {"text": f"Note {i}: so it went.", "mood": LABELS[i % 3]},
        "math": lambda i: {"problem": f"Add 1 to x to the {i}.", "solution": f"x^{{{i}}} + 1"},
        "exact": lambda i: {"word": f"Spell number {i}.", "spelt": f"word {chr(97 + i % 26)}{i}"},
    }[kind]
    path.write_text(json.dumps([row(i) for i in range(1, count + 1)]))
    return path


def chat_model(folder: Path) -> Path:
    """Write a model with a chat template and room for worked examples, of which each character is a token."""
    write_tiny_llama(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8192}))
    settings = folder / "tokenizer_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "chat_template": BODY}))
    return folder


def init(tmp_path: Path, data: Path, model: str, *options: str) -> tuple[str, RunConfig]:
    """Run ``adastar init``; return the file's text and the configuration that it is."""
    output = tmp_path / "run.yaml"
    assert cli.main(["init", str(data), "--model", model, "--output", str(output), *options]) == 0
    return output.read_text("utf-8"), files.resolve(files.load_file(output))


@pytest.mark.parametrize(
    ("kind", "chat"),
    [("number", False), ("solution", True), ("choice", True), ("choice", False), ("yes_no", True), ("label", True),
     ("math", False), ("exact", True)],
)  # fmt: skip
def test_every_kind_of_table_becomes_a_file_of_at_most_twenty_lines(
    tmp_path: Path, kind: str, chat: bool
) -> None:
    """It says what each value follows from, reads every answer, and asks so that the verifier finds the answer."""
    model = str(chat_model(tmp_path / "model")) if chat else "tiny-adder"
    written, config = init(tmp_path, records(tmp_path / "rows.json", kind), model)
    assert len(written.splitlines()) <= 20
    assert written.count("  # ") >= 6
    assert config.problem.verifier == ("number" if kind == "solution" else kind)  # type: ignore[union-attr]
    shown = chat and kind in ("number", "solution", "choice")
    assert config.prompt.chat is (chat and not shown)
    plan = plan_of(config)
    assert not any("beta" in warning for warning in plan.warnings)
    assert plan.positions is not None
    assert plan.longest_text <= plan.positions
    asked = chat and not shown  # worked examples need no instruction, and the packaged model knows no words
    assert ("Reason step by step" in plan.preview.texts[0].text) is asked
    assert plan.preview.judged[0].verdict.outcome == "right"


def test_longer_solutions_get_longer_rationales(tmp_path: Path) -> None:
    model = str(chat_model(tmp_path / "model"))
    _, config = init(tmp_path, records(tmp_path / "rows.json", "solution"), model)
    lengths = [
        len(Vocabulary(Path(model)).completion_ids(row["a"]))
        for row in json.loads((tmp_path / "rows.json").read_text())
    ]
    assert max(lengths) < config.generator.max_new_tokens < 3 * max(lengths)


def test_columns_can_be_named_and_files_are_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = additions(tmp_path / "t.csv")
    written, config = init(tmp_path, data, "tiny-adder", "--question", "Aufgabe", "--answer", "Lfd. Nr.")
    assert config.problem.answer == "Lfd. Nr."  # type: ignore[union-attr]
    assert cli.main(["init", str(data), "--model", "tiny-adder", "--output", str(tmp_path / "run.yaml")]) == 2
    assert "is not overwritten" in capsys.readouterr().err
    assert (tmp_path / "run.yaml").read_text() == written


def test_answers_that_cannot_be_read_are_named_once_the_file_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = records(tmp_path / "rows.json", "number")
    rows = json.loads(path.read_text())
    rows[6]["a"] = "about seven"
    path.write_text(json.dumps(rows))
    assert cli.main(["init", str(path), "--model", "tiny-adder", "--output", str(tmp_path / "run.yaml")]) == 2
    printed = capsys.readouterr()
    assert "it reads 119 of 120 answers, not 'about seven'" in printed.out
    assert "row 7: 'about seven'" in printed.err
    assert "which cannot run yet:" in printed.out
    assert "Next: " not in printed.out
    assert yaml.safe_load((tmp_path / "run.yaml").read_text())["problem"]["verifier"] == "number"


class Asked(NamedTuple):
    """How ``adastar init`` ended on a terminal, and what it printed."""

    status: int
    stdout: str
    stderr: str


@contextmanager
def terminal(keys: str) -> Iterator[int]:
    """Yield the descriptor of a terminal at which somebody has typed these keys, and Ctrl-D after them."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{keys}\x04".encode())
    try:
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)


@pytest.fixture
def on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Asked]:
    """Run ``adastar init`` beside a table ``t.csv`` as somebody does who types these keys."""
    additions(tmp_path / "t.csv")
    monkeypatch.chdir(tmp_path)

    def run(keys: str, *options: str) -> Asked:
        with terminal(keys) as descriptor, open(descriptor, closefd=False) as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            return Asked(cli.main(["init", *options]), *capsys.readouterr())

    return run


def test_what_is_not_given_is_asked_for_on_a_terminal(tmp_path: Path) -> None:
    additions(tmp_path / "t.csv")
    command = [sys.executable, "-m", "adastar_core.cli", "init"]
    with terminal("t.csv\n\ntiny-adder\n") as stdin:
        asked = subprocess.run(
            command, cwd=tmp_path, stdin=stdin, capture_output=True, text=True, check=False, timeout=300
        )
    assert re.search(r"Data file.*column Aufgabe.*Right\?.*Model", asked.stdout, re.DOTALL), asked.stderr
    assert yaml.safe_load((tmp_path / "run.yaml").read_text())["problem"]["answer"] == "Ergebnis"


def test_without_a_terminal_what_is_not_given_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert cli.main(["init"]) == 2
    assert "adastar init DATA --model MODEL" in capsys.readouterr().err


def test_a_terminal_may_name_other_columns(tmp_path: Path, on_a_terminal: Callable[..., Asked]) -> None:
    """What is not understood, or does not exist, is said and asked for again."""
    keys = "nonsense\nanswer=Nowhere\nanswer=Lfd. Nr., verifier=math\ny\n"
    asked = on_a_terminal(keys, "t.csv", "--model", "tiny-adder")
    assert asked.status == 0, asked.stderr
    assert "'nonsense' is not understood" in asked.stdout
    assert "no column 'Nowhere' (--answer), only Lfd. Nr., Aufgabe, Ergebnis, Stufe" in asked.stdout
    problem = yaml.safe_load((tmp_path / "run.yaml").read_text())["problem"]
    assert (problem["answer"], problem["verifier"]) == ("Lfd. Nr.", "math")


@pytest.mark.parametrize("options", [("--yes",), ("--question", "Aufgabe", "--answer", "Ergebnis")])
def test_nothing_is_asked_where_all_is_said(
    on_a_terminal: Callable[..., Asked], options: tuple[str, ...]
) -> None:
    asked = on_a_terminal("", "t.csv", "--model", "tiny-adder", *options)
    assert asked.status == 0, asked.stderr
    assert "Right?" not in asked.stdout


def test_input_that_ends_before_everything_is_answered_writes_nothing(
    tmp_path: Path, on_a_terminal: Callable[..., Asked]
) -> None:
    assert on_a_terminal("", "t.csv", "--model", "tiny-adder").status == 2
    assert not (tmp_path / "run.yaml").exists()


def test_a_passage_stands_before_its_question(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"r{i}",
            "task": {"passage": f"Tom has {i} pens.", "ask": f"How many pens has Tom {i}?"},
            "answer": i,
        }
        for i in range(60)
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    model = str(chat_model(tmp_path / "model"))
    written, config = init(tmp_path, tmp_path / "rows.json", model, "--question", "task.ask")
    assert len(written.splitlines()) <= 20
    plan = plan_of(config)
    assert "pens.\n\nQ: How many pens has Tom" in plan.preview.texts[0].text
    assert plan.preview.judged[0].verdict.outcome == "right"


@pytest.mark.parametrize("kind", ["number", "solution", "choice"])
def test_a_small_model_is_shown_worked_examples(tmp_path: Path, kind: str) -> None:
    """They are the table's own where it has worked solutions, in a file that can be edited, and the plan shows them."""
    model = str(chat_model(tmp_path / "model"))
    _, config = init(tmp_path, records(tmp_path / "rows.json", kind), model)
    assert config.problem.exemplars == str(tmp_path / "run.exemplars.jsonl")  # type: ignore[union-attr]
    shown = [json.loads(line) for line in (tmp_path / "run.exemplars.jsonl").read_text().splitlines()]
    assert len(shown) == config.evaluation.shots == 4
    asked = "stem" if kind == "choice" else "q"
    own = {row[asked] for row in json.loads((tmp_path / "rows.json").read_text())}
    assert (shown[0][asked] in own) is (kind == "solution")
    problem = open_problem(config.problem)
    prompt = problem.prompt(problem.load(Split.TRAIN)[0])
    assert all(row["rationale"] in prompt for row in shown)


def test_worked_examples_differ_in_kind(tmp_path: Path) -> None:
    """Where a table has several kinds of question, the shortest ones may all be of one."""
    kinds = [
        "Add {i} and 4.",
        "A tram carries {i} people and 3 get off. How many stay?",
        "Each of {i} boxes holds 5 cups. How many cups are in the boxes?",
        "Lena is {i} years old now. How old was she a year ago?",
    ]
    rows = [{"q": kinds[i % 4].format(i=i), "a": f"So it is {i}.\n#### {i}"} for i in range(80)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    init(tmp_path, tmp_path / "rows.json", str(chat_model(tmp_path / "model")))
    shown = [json.loads(line)["q"] for line in (tmp_path / "run.exemplars.jsonl").read_text().splitlines()]
    assert len({question.split()[0] for question in shown}) == 4


NOTED = {
    "decimal commas": (
        [f"{i},5" for i in range(60)],
        "60 of 60 answers seem to have a decimal comma, e.g. '0,5' and '1,5'",
        "Write them with a point, 0.5,",
    ),
    "words among numbers": (
        [("n/a", "a few", str(i))[min(i % 5, 2)] for i in range(60)],
        "the verifier number reads 36 of 60 answers, but not 24, e.g. 'n/a' and 'a few'",
        "Verifier exact: it reads every answer",
    ),
    "a few words among numbers": (
        ["n/a" if i < 3 else "a few" if i < 6 else str(i) for i in range(60)],
        "Verifier number: it reads 54 of 60 answers, not 'n/a' and 'a few'",
        "which cannot run yet",
    ),
    "one row": (["7"], "t.csv: 1 row ", "Verifier number: it reads every answer"),
}


@pytest.mark.parametrize("kind", NOTED)
def test_what_should_be_looked_at_is_said_with_its_number_and_examples(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """A spreadsheet writes 1,500 for one and a half, which is a number too, and another one."""
    answers, *said = NOTED[kind]
    with (tmp_path / "t.csv").open("w", encoding="utf-8-sig") as file:
        file.writelines(
            ["Frage;Antwort\n", *(f"Wie lang ist Weg {i}?;{text}\n" for i, text in enumerate(answers))]
        )
    cli.main(
        ["init", str(tmp_path / "t.csv"), "--model", "tiny-adder", "--output", str(tmp_path / "run.yaml")]
    )
    printed = " ".join(capsys.readouterr().out.split())
    assert all(words in printed for words in said), printed


def test_a_first_row_is_not_taken_for_names_unless_they_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "".join(
            f"What is the capital of land {i}?,City{chr(97 + i % 26)}{chr(97 + i // 26)}\n" for i in range(60)
        )
    )
    command = ["init", str(path), "--model", "tiny-adder", "--output", str(tmp_path / "run.yaml")]
    assert cli.main(command) == 2
    assert (
        "Put a line with the columns' names first, or say that it is one: --question"
        in capsys.readouterr().err
    )
    assert cli.main([*command, "--question", "What is the capital of land 0?"]) == 0


def test_the_model_takes_one_short_line_and_what_is_wrong_with_it_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    additions(tmp_path / "t.csv")
    model = chat_model(tmp_path / "model")
    for template, said, noted in (
        (BODY, "a chat template", False),
        (None, "no chat template", False),
        ("{{ raise_exception('no') }}", "an unusable chat template", True),
    ):
        settings = model / "tokenizer_config.json"
        kept = {
            key: value for key, value in json.loads(settings.read_text()).items() if key != "chat_template"
        }
        settings.write_text(json.dumps(kept | ({"chat_template": template} if template else {})))
        init(tmp_path, tmp_path / "t.csv", str(model))
        (tmp_path / "run.yaml").unlink()
        (tmp_path / "run.exemplars.jsonl").unlink(missing_ok=True)
        lines = capsys.readouterr().out.splitlines()
        shown = next(line for line in lines if line.startswith("Model "))
        assert shown.endswith(f"8,192 positions, {said}")
        assert any(line.startswith("Note: prompt.chat") for line in lines) is noted


STEMS = {
    "letters": (["option_a", "option_b", "option_c"], "ABC", "ABC"),
    "letters alone": (["A", "B", "C"], "ABC", "ABC"),
    "small letters": (["Option A", "Option B", "Option C"], "abc", "abc"),
    "numbers": (["choice1", "choice2", "choice3"], "123", "123"),
    "places from 0": (["ans1", "ans2", "ans3"], "012", "012"),
    "places as letters": (["x.1", "x.2", "x.3"], "ABC", "ABC"),
}


@pytest.mark.parametrize("kind", STEMS)
def test_options_in_columns_of_their_own_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """Each stands after the label that the answers call it by, in the prompt of every model."""
    names, answers, labels = STEMS[kind]
    rows = [
        {
            "question": f"Which is {i}?",
            **{name: f"{n} of {i}" for n, name in enumerate(names)},
            "answer": answers[i % 3],
        }
        for i in range(60)
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    for model in ("tiny-adder", str(chat_model(tmp_path / "model"))):
        _, config = init(tmp_path, tmp_path / "rows.json", model)
        (tmp_path / "run.yaml").unlink()
        assert config.problem.verifier == "label"  # type: ignore[union-attr]
        options = "".join(f"\n{label}) {{{name}}}" for label, name in zip(labels, names, strict=True))
        assert f"{{question}}{options}\n" in str(config.problem.prompt)
        assert f"{labels[1]}) 1 of " in plan_of(config).preview.texts[0].text
    printed = capsys.readouterr().out
    assert f"shows the columns {', '.join(names)} as options" in printed
    assert f"one of: {', '.join(labels)}" in printed


def test_options_that_an_object_names_by_their_labels_are_read(tmp_path: Path) -> None:
    rows = [
        {"question": f"Which is {i}?", "options": {"A": f"a{i}", "B": f"b{i}"}, "answer": "AB"[i % 2]}
        for i in range(60)
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    _, config = init(tmp_path, tmp_path / "rows.json", "tiny-adder")
    assert (config.problem.verifier, config.problem.choices) == ("choice", "options")  # type: ignore[union-attr]
    assert "(B) b" in plan_of(config).preview.texts[0].text


@pytest.mark.parametrize(("sign", "verifier"), [("word", "exact"), ("", "number")])
def test_options_in_columns_of_their_own_may_be_named_by_their_texts(
    tmp_path: Path, sign: str, verifier: str
) -> None:
    rows = [
        {
            "question": f"Which is {i}?",
            "one_1": f"{sign}{i}",
            "one_2": f"{sign}{i + 99}",
            "answer": f"{sign}{i + i % 2 * 99}",
        }
        for i in range(60)
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    _, config = init(tmp_path, tmp_path / "rows.json", "tiny-adder")
    assert config.problem.verifier == verifier  # type: ignore[union-attr]
    assert config.problem.prompt == "{question}\n- {one_1}\n- {one_2}\n"


LOOKS = "the answers look like labels of options"


@pytest.mark.parametrize(
    ("question", "answers", "noted"),
    [
        ("Which is {i}?", "ABCD", True),
        ("Which is {i}?", "abc", True),
        ("Which is {i}?", "012", True),
        ("Which is {i}? A) one B) two C) three D) four", "ABCD", False),
        ("Which is {i}? (1) one (2) two (3) three", "123", False),
        ("Is {i} true?", "TF", False),
        ("How many are {i}?", "0123456789", False),
        ("Which of 5 and 7 is {i}?", "57", False),
    ],
)
def test_options_that_no_column_holds_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], question: str, answers: str, noted: bool
) -> None:
    rows = [
        {
            "question": question.format(i=i),
            "answer": answers[i % len(answers)],
            "hint": {"see": [f"page {i}"]},
        }
        for i in range(120)
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    init(tmp_path, tmp_path / "rows.json", "tiny-adder")
    assert (LOOKS in capsys.readouterr().out) is noted
    (tmp_path / "run.yaml").unlink()
    init(tmp_path, tmp_path / "rows.json", "tiny-adder", "--choices", "none")
    assert LOOKS not in capsys.readouterr().out


def test_a_list_that_no_answer_is_in_holds_no_options_unless_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"question": f"How much is {i}?", "tags": ["x", "y"], "answer": 1260 + i} for i in range(60)]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    _, config = init(tmp_path, tmp_path / "rows.json", "tiny-adder")
    assert (config.problem.verifier, config.problem.choices) == ("number", None)  # type: ignore[union-attr]
    assert "the column 'tags' could hold options" in capsys.readouterr().out
    command = ["init", str(tmp_path / "rows.json"), "--model", "tiny-adder", "--choices", "tags"]
    assert cli.main([*command, "--output", str(tmp_path / "other.yaml")]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "the answer '1260' is none of the choices A, B" in printed
    assert "(options: the column 'tags'; --choices none leaves it out)." in printed
