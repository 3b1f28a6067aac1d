"""A run that collapses to one class says so, wherever it is looked at. Responses come from a script."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import Engine

from adastar_core import cli, stages
from adastar_core.records import Accuracy, GenerationRequest, Observation, Split
from adastar_core.report.build import report_of
from adastar_core.report.page import html
from adastar_core.report.summary import summary
from adastar_core.report.text import controls_lines, markdown, print_report
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.store.classes import read_class_visits
from tests.support.runs import run_iteration, small_config
from tests.support.scripted import ScriptedGenerator

TRAIN, VALIDATION = 150, 60


def statements(folder: Path, rows: int = TRAIN + VALIDATION) -> str:
    """Write statements of three classes in turn, in the schema of ANLI."""
    path = folder / "statements.jsonl"
    made = ({"uid": str(n), "premise": f"{n}.", "hypothesis": "So?", "label": n % 3} for n in range(rows))
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return str(path)


@contextmanager
def opened(engine: Engine, home: Path, name: str, *overrides: str) -> Iterator[Workspace]:
    data = ("problem=anli_r1", f"problem.path={statements(home)}", "problem.validation_share=0.28")
    test = ("problem.test_share=0.01", "problem.test_limit=1", "problem.shots=0", "trainer.max_length=256")
    size = ("schedule.first_steps=4", "schedule.growth=1", "iterations=1", "generator.max_new_tokens=30")
    with open_workspace(small_config(engine, home, *data, *test, *size, *overrides), name) as workspace:
        yield workspace


def collapse(workspace: Workspace) -> None:
    """Answer nothing before training and 2 to everything after it; rationales are right in class 2, at times in 1."""

    def before(one: GenerationRequest) -> str:
        if not one.stream:
            return "Who knows."
        reference = workspace.train[one.position].answer
        answer = "2" if reference == "2" or one.position % 4 else reference
        return f"Clearly. #### {'2' if reference == '0' else answer}"

    workspace.generators.use(ScriptedGenerator(before))
    stages.evaluate(workspace, 0, Split.VALIDATION)

    def after(one: GenerationRequest) -> str:
        return before(one) if one.stream else "Clearly. #### 2"

    workspace.generators.use(ScriptedGenerator(after))
    run_iteration(workspace, 1)


def test_a_collapse_is_told_wherever_its_accuracy_is(
    database: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(database, tmp_path, "collapse") as workspace:
        collapse(workspace)
        report = report_of(workspace, 1)
        items = len(workspace.data[Split.VALIDATION])
        wanted = sum(item.answer == "2" for item in workspace.data[Split.VALIDATION])
    assert report.base_controls is not None
    assert report.controls is not None
    assert (report.base_controls.read, report.controls.read) == (Accuracy(0, items), Accuracy(items, items))
    assert (report.controls.chance, report.controls.answers) == (pytest.approx(1 / 3), (("2", items),))
    one, no_better, form, lopsided = report.warnings
    assert (
        f'{items} of {items} validation answers of iteration 1 (100.0 %) are "2", the reference of {wanted} ('
        in one
    )
    assert "is not above what always answering" in no_better
    assert "is one of form: 0.0 % of the answers could be read before, 100.0 % after" in form
    assert "0.0 % (0 of 3" in lopsided
    assert 'has the answer "0"' in lopsided
    assert report.iterations[0].warnings == (one, lopsided)
    console = Console(file=io.StringIO(), record=True, width=400)
    print_report(report, {"report": "here"}, console)
    monkeypatch.setenv("ADASTAR_DATABASE_URL", database.url.render_as_string(hide_password=False))
    assert cli.main(["show", "collapse", "--home", str(tmp_path)]) == 0
    texts = (
        console.export_text(),
        capsys.readouterr().out,
        json.dumps(summary(report), ensure_ascii=False).replace('\\"', '"'),
    )
    for text in (*texts, html(report, ()).replace("&#34;", '"'), markdown(report)):
        assert text.count("WARNING: ") >= 4
        for warning in report.warnings:
            assert warning[:60].partition('"')[0] in text
    for text in (*texts[:2], markdown(report)):
        assert "Beside it: guessing gives 33.3 %; always answering" in text


def test_what_a_class_got_and_what_luck_would_give_are_counted(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "classes", "attempts=1") as workspace:
        collapse(workspace)
        (row,) = report_of(workspace, 1).iterations
        visits = workspace.read(read_class_visits)[1]
        train = workspace.train
        with database.connect() as connection:
            events = connection.exec_driver_sql(
                "SELECT position, attempts, correct, accepted FROM observation_events"
            ).all()
    for counted in visits:
        mine = [event for event in events if train[event.position].answer_class == counted.answer]
        assert counted.options == 3
        assert counted.visited == len(mine)
        assert counted.accepted == counted.accepting == sum(event.accepted for event in mine)
        assert (counted.attempts, counted.correct) == (len(mine), sum(event.correct for event in mine))
    assert {one.answer: one.accepted for one in row.classes}["0"] == 0
    assert sum(one.visited for one in row.classes) == row.m
    assert (row.right_attempts, row.right_by_guessing) == (row.accepted, pytest.approx(row.m / 3))
    assert row.lucky_share == pytest.approx(min(1, row.m / 3 / row.accepted))


def test_a_run_that_answers_most_questions_is_warned_of_nothing(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "healthy") as workspace:
        asked = {True: workspace.data[Split.VALIDATION], False: workspace.train}

        def script(one: GenerationRequest) -> str:
            reference = asked[not one.stream][one.position].answer
            return f"Clearly. #### {reference if one.position % 5 else (int(reference) + 1) % 3}"

        workspace.generators.use(ScriptedGenerator(script))
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        assert report_of(workspace, 1).warnings == ()


def test_open_answers_have_no_classes_and_no_chance(database: Engine, tmp_path: Path) -> None:
    with open_workspace(small_config(database, tmp_path, "iterations=1"), "sums") as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        report = report_of(workspace, 1)
    assert report.controls is not None
    assert (report.controls.chance, report.iterations[0].classes, report.iterations[0].lucky_share) == (
        None,
        (),
        None,
    )
    assert report.warnings == ()


def test_the_base_model_is_measured_as_it_is_sampled_once_and_copied(
    database: Engine, tmp_path: Path
) -> None:
    """With exemplars it answers; without it says nothing. So what training brings is the form alone."""
    long = ("problem.shots=2", "trainer.max_length=2048")
    batches, costs = [], []
    for name in ("first", "second"):
        with opened(database, tmp_path, name, *long) as workspace:
            items = workspace.data[Split.VALIDATION]

            def script(one: GenerationRequest, items: Sequence[Observation] = items) -> str:
                reference = items[one.position].answer
                return (
                    f"So. #### {reference if one.position % 3 else 0}"
                    if "Arden" in one.prompt
                    else "Who knows."
                )

            generator = ScriptedGenerator(script)
            workspace.generators.use(generator)
            stages.evaluate(workspace, 0, Split.VALIDATION)
            made = len(generator.batches)
            assert stages.is_prompted_otherwise(workspace)
            for _ in range(2):
                stages.measure_as_sampled(workspace)
            batches.append(len(generator.batches) - made)
            report = report_of(workspace, 0)
            costs += [row.tokens for row in report.stages if row.stage == "evaluate validation as sampled"]
    right = sum(bool(place % 3) or item.answer == "0" for place, item in enumerate(items))
    assert report.as_sampled is not None
    assert (report.as_sampled.accuracy, report.base_validation) == (
        Accuracy(right, len(items)),
        Accuracy(0, len(items)),
    )
    assert batches == [-(-len(items) // 16), 0]
    assert costs[0] == costs[1]
    assert costs[0].prompt_tokens > 500 * len(items)
    assert any(
        f"prompted as rationales are sampled, gives {100 * right / len(items):.1f} %" in line
        for line in controls_lines(report)
    )


def test_a_model_that_only_learned_the_form_gained_nothing(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "form", "problem.shots=2", "trainer.max_length=2048") as workspace:
        items = workspace.data[Split.VALIDATION]
        learned: list[int] = []

        def script(one: GenerationRequest) -> str:
            if one.stream:
                return f"So. #### {workspace.train[one.position].answer}"
            reads = "Arden" in one.prompt or learned
            return (
                f"So. #### {items[one.position].answer if one.position % 5 else 0}" if reads else "Who knows."
            )

        workspace.generators.use(ScriptedGenerator(script))
        stages.evaluate(workspace, 0, Split.VALIDATION)
        stages.measure_as_sampled(workspace)
        learned.append(1)
        run_iteration(workspace, 1)
        (said,) = report_of(workspace, 1).warnings
    assert said.startswith("WARNING: prompted as rationales are sampled, the base model already answers")


@pytest.mark.parametrize(
    "overrides", [("problem.shots=0",), ("method=sft",), ("problem.shots=2", "evaluation.shots=2")]
)
def test_nothing_is_measured_twice_where_prompts_are_the_same(
    database: Engine, tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    with opened(database, tmp_path, "same", "trainer.max_length=2048", *overrides) as workspace:
        assert not stages.is_prompted_otherwise(workspace)


def test_balanced_classes_train_on_equally_many_of_each(database: Engine, tmp_path: Path) -> None:
    """The same rationales, of which most are right in class 2: without balance they displace class 1."""
    shares = {}
    for balanced in ("false", "true"):
        with opened(database, tmp_path, balanced, f"schedule.balance_classes={balanced}") as workspace:
            collapse(workspace)
            (row,) = report_of(workspace, 1).iterations
            shares[balanced] = {one.answer: one.accepted for one in row.classes}
            with database.connect() as connection:
                query = "SELECT count(*) FROM training_examples WHERE run_id = %(run)s"
                trained = connection.exec_driver_sql(query, {"run": workspace.run_id}).scalar_one()
            assert trained == sum(shares[balanced].values())
    assert shares["false"]["2"] > 2 * shares["false"]["1"] > 0
    assert shares["true"] == {"0": 0, "1": shares["false"]["1"], "2": shares["false"]["1"]}
