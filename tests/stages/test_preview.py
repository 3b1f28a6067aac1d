"""What is shown before anything is spent: the prompt, the training text, verdicts, and what will not go as configured."""

import json
import re
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adastar_core.config import RunConfig, files
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.planning.plan import plan_of
from adastar_core.planning.text import warning_lines
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.records import Outcome, Split
from adastar_core.report.opening import opening
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.preview import Preview, preview
from tests.core.problems.test_chat import BODY, model
from tests.support.runs import run_iteration, small_config

OPTIONS = ["red", "blue", "green", "pink"]


def previewed(
    tmp_path: Path, rows: list[dict[str, object]], verifier: str, choices: str | None = None, **more: object
) -> Preview:
    """Return the preview of a table, for a model with a chat template."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problem = {"type": "table", "path": str(path), "verifier": verifier, "choices": choices}
    config = files.resolve({"problem": problem, "prompt": {"chat": True}, **more})
    folder = model(tmp_path / "model", BODY, bos_prefix=True)
    opened = prompted(open_problem(config.problem), config.prompt, folder, date(2026, 11, 29))
    return preview(config, opened, opened.load(Split.TRAIN), Vocabulary(folder))


def words(kind: str, count: int = 90) -> list[dict[str, object]]:
    answers = {
        "number": lambda i: i + 1,
        "choice": lambda i: OPTIONS[i % 4],
        "yes_no": lambda i: ("yes", "no")[i % 2],
        "label": lambda i: ("calm", "cross", "glad")[i % 3],
        "exact": lambda i: f"word{i}",
        "math": lambda i: f"\\frac{{{i}}}{{7}}",
    }[kind]
    options = {"options": OPTIONS} if kind == "choice" else {}
    return [{"question": f"Question {i}?", "answer": answers(i), **options} for i in range(count)]


@pytest.mark.parametrize("kind", ["number", "choice", "yes_no", "label", "exact", "math"])
def test_the_reference_is_right_and_three_others_are_not(tmp_path: Path, kind: str) -> None:
    found = previewed(tmp_path, words(kind), kind, "options" if kind == "choice" else None)
    reference, undeclared, *wrong = found.judged
    assert reference.verdict.outcome is Outcome.RIGHT
    assert undeclared.response == found.observation.answer
    assert len(wrong) == 3
    assert all(one.verdict.outcome is not Outcome.RIGHT for one in wrong)
    assert len({one.response for one in wrong}) == 3


def test_texts_are_those_of_the_run_with_special_tokens_spelled_out(tmp_path: Path) -> None:
    found = previewed(tmp_path, words("number"), "number", rationalize=True)
    asked, answer = found.observation.question, found.observation.answer
    prompt, hinted, training = [shown.text for shown in found.texts]
    assert prompt == f"<s>user: Q: {asked}\nA:;assistant: "
    assert hinted == f"<s>user: Q: {asked} ({answer})\nA:;assistant: "
    assert training == f"{prompt}#### {answer}</s>"
    vocabulary = Vocabulary(tmp_path / "model")
    assert [shown.tokens for shown in found.texts[:2]] == [
        len(vocabulary.prompt_ids([text.removeprefix("<s>")])[0]) for text in (prompt, hinted)
    ]


def test_what_would_drive_a_terminal_is_spelled_out_and_long_prompts_are_shortened(tmp_path: Path) -> None:
    rows = words("number")
    for row in rows:
        row["question"] = f"\x1b[31m{row['question']}" + "\nline" * 40
    found = previewed(tmp_path, rows, "number")
    whole, short = found.lines(), found.lines(8)
    assert not any("\x1b" in line for line in whole)
    assert "\\x1b[31m" in "\n".join(whole)
    assert sum("line" in line for line in whole) > 80
    assert sum("line⏎" in line for line in short) < 16
    assert sum("--dry-run shows all" in line for line in short) == len(found.texts)


def test_every_start_of_a_run_shows_the_prompt_that_is_then_stored(database: Engine, tmp_path: Path) -> None:
    config = small_config(database, tmp_path, "iterations=1")
    with open_workspace(config, "shown") as workspace:
        shown = opening(workspace)
        run_iteration(workspace, 1)
        assert workspace.train[0].question in shown
        assert "as the model gets it" in shown
        assert "equals the reference" in shown


def base(**groups: object) -> RunConfig:
    return files.resolve(
        {"problem": {"type": "arithmetic", "train": 100, "validation": 60, "test": 60}, **groups}
    )


def test_nothing_is_warned_of_where_all_will_go_as_configured() -> None:
    assert warning_lines(plan_of(base(schedule={"first_steps": 2}, trainer={"batch_size": 8})), None) == []


@pytest.mark.parametrize(("first_steps", "iterations", "over"), [(40, 1, 1), (10, 3, 3)])
def test_beta_above_the_pool_is_known_before(first_steps: int, iterations: int, over: int) -> None:
    schedule = {"first_steps": first_steps}
    warning, *others = plan_of(base(schedule=schedule, iterations=iterations)).warnings
    assert others == []
    assert f"iteration {over} wants" in warning
    lower = int(warning.partition(f"first_steps ({first_steps}) to ")[2].partition(",")[0])
    assert plan_of(base(schedule={"first_steps": lower}, iterations=iterations)).warnings == ()


@pytest.mark.parametrize("method", ["star-full", "sft", "rest-em"])
def test_beta_bounds_nothing_where_all_accepted_ones_are_trained_on(method: str) -> None:
    assert "beta" not in " ".join(plan_of(base(method=method, iterations=1)).warnings)


def test_small_splits_are_known_before() -> None:
    small = {"type": "arithmetic", "train": 100, "validation": 16, "test": 60}
    (warning,) = plan_of(base(schedule={"first_steps": 2}, problem=small)).warnings
    assert "validation has 16 questions." in warning
    assert "about 22 points" in warning


def test_more_memory_than_this_machine_has_is_known_before() -> None:
    config = base(schedule={"first_steps": 2}, generator={"batch_size": 10**9})
    (warning,) = warning_lines(plan_of(config), None)
    assert warning.startswith("WARNING: generation needs up to")
    assert "Set generator.batch_size to " in warning
    assert warning_lines(plan_of(config), "h100") == []


@pytest.mark.parametrize(("processes", "runs"), [(1, 1), (2, 1), (1, 3)])
def test_what_a_warning_of_memory_says_to_set_fits(processes: int, runs: int) -> None:
    """For one process, for several that share this machine, and for several runs at once."""
    trainer = {"batch_size": 2**14, "processes": processes, "max_length": 2048}
    long = {"schedule": {"first_steps": 1}, "generator": {"max_new_tokens": 2000}}

    def warned(**values: object) -> str:
        return "\n".join(warning_lines(plan_of(base(trainer=trainer | values, **long)), None, runs))

    before = warned()
    (rows,) = re.findall(r"training needs up to .* Set trainer.micro_batch_size to (\d+)\.", before)
    assert "training needs" not in warned(micro_batch_size=int(rows))
    together = processes * runs
    assert (f" in {together} processes, " in before) is (together > 1)
