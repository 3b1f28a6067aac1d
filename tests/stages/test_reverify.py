"""Judging a run's rollouts again: both verdicts are kept, and the run does not change."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import cli, stages
from adastar_core.audit.disagreements import as_json
from adastar_core.audit.reverify import Reverification, reverify
from adastar_core.config import RunConfig
from adastar_core.records import GenerationRequest, Outcome, Split
from adastar_core.report.build import report_of
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from tests.support.runs import outcome_of, run_iteration, small_config
from tests.support.scripted import ScriptedGenerator

R, W, U = Outcome.RIGHT, Outcome.WRONG, Outcome.UNDECIDED


def script(workspace: Workspace, one: GenerationRequest) -> str:
    """Answer right as declared; in passing, which only the fallback reads; with two answers; without a rationale."""
    answer = workspace.train[one.position].answer
    ways = (f"so\n#### {answer}", f"it is {answer}", f"#### {answer}\n#### 7{answer}", f"#### {answer}")
    return ways[one.position % 4]


def answer_by_script(workspace: Workspace) -> None:
    workspace.generators.use(ScriptedGenerator(lambda one: script(workspace, one)))


def one_iteration_and_a_wave(config: RunConfig, name: str) -> None:
    """Run iteration 1, and leave iteration 2 with rollouts that nobody has judged."""
    with open_workspace(config, name) as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        answer_by_script(workspace)
        run_iteration(workspace, 1)
        stages.sample(workspace, 2, 0)
        stages.generate(workspace, 2, 0)


def the_rest(config: RunConfig, name: str, database: Engine) -> tuple[object, object]:
    """Run iteration 2; return what is stored and reported."""
    with open_workspace(config, name) as workspace:
        answer_by_script(workspace)
        run_iteration(workspace, 2)
        rows = report_of(workspace, best=0).iterations
        counts = [(row.m, row.accepted, row.rejected, row.undecided, row.surplus) for row in rows]
        return outcome_of(database, workspace.run_id), counts


def test_the_run_does_not_change(database: Engine, tmp_path: Path) -> None:
    config = small_config(database, tmp_path, "iterations=2")
    for name in ("disturbed", "undisturbed"):
        one_iteration_and_a_wave(config, name)
    before = outcome_of(database, 1)
    for verifier, fall_back in (("number", True), ("exact", False), (None, False)):
        result = reverify(database, "disturbed", verifier, fall_back=fall_back)  # type: ignore[arg-type]
        assert result.judged > 0
    assert outcome_of(database, 1) == before
    assert the_rest(config, "disturbed", database) == the_rest(config, "undisturbed", database)
    with database.connect() as connection:
        versions = connection.scalars(
            text("SELECT DISTINCT verifier FROM verdicts WHERE run_id = 1 ORDER BY 1")
        ).all()
    assert versions == ["exact/3", "number/3", "number/3+last"]


def test_both_verdicts_are_compared_and_judged_once(database: Engine, tmp_path: Path) -> None:
    config = small_config(database, tmp_path, "iterations=2")
    one_iteration_and_a_wave(config, "run")
    first = reverify(database, "run", "number", fall_back=True, examples=2)
    again = reverify(database, "run", "number", fall_back=True, examples=2)
    assert first.verifier == "number/3+last"
    assert first.judged > first.rollouts > 40, "iteration 2 has no verdicts to compare with"
    assert (again.judged, again.changes, again.examples) == (0, first.changes, first.examples)
    (change,) = first.disagreements
    assert (change.old_verifier, change.old, change.new, change.trained) == ("number/3", W, R, 0)
    assert [(one.old, one.new) for one in first.changes] == [(R, R), (U, U), (W, R)]
    assert sum(one.trained for one in first.changes) == 24
    assert len(first.examples) == 2
    example = first.examples[0]
    assert (example.old, example.old_extracted, example.new) == (W, None, R)
    assert example.new_extracted == example.reference
    assert example.response == f"it is {example.reference}"
    assert reverify(database, "run").disagreements == ()


def test_an_iteration_that_is_being_sampled_is_left_out(database: Engine, tmp_path: Path) -> None:
    config = small_config(database, tmp_path, "iterations=2")
    one_iteration_and_a_wave(config, "run")
    judged: dict[int, int | None] = {}
    with open_workspace(config, "run"):
        reverify(database, "run", "number", fall_back=True, on_iteration=judged.__setitem__)
    assert judged[1] > 0  # type: ignore[operator]
    assert judged[2] is None


def test_the_command_prints_a_table_with_examples_or_json(
    database: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one_iteration_and_a_wave(small_config(database, tmp_path), "mine")
    monkeypatch.setenv("ADASTAR_DATABASE_URL", database.url.render_as_string(hide_password=False))
    where = ["--home", str(tmp_path)]
    arguments = ["reverify", "mine", "--verifier", "number", "--fall-back", *where]
    assert cli.main([*arguments, "--examples", "1"]) == 0
    printed = capsys.readouterr()
    assert "iteration 1: " in printed.err
    assert "Disagreements with number/3+last" in printed.out
    assert printed.out.count("wrong → right: observation ") == 1
    assert "response: it is " in printed.out
    assert "Statistics and training history are unchanged." in printed.out
    assert cli.main([*arguments, "--json"]) == 0
    shown = capsys.readouterr().out
    result: Reverification = reverify(database, "mine", "number", fall_back=True)
    assert json.loads(shown) == json.loads(as_json(result))
    assert json.loads(shown)["changes"][0]["old"] == "right"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mien"], "no run 'mien' in this database; nearest: mine"),
        (["mine", "--fall-back"], "fall_back (true) needs the name of a verifier"),
        (["mine", "--verifier", "math", "--fall-back"], "fall_back (true) needs a verifier of number"),
    ],
)
def test_what_cannot_be_done_is_refused(
    database: Engine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    with open_workspace(small_config(database, tmp_path), "mine"):
        pass
    monkeypatch.setenv("ADASTAR_DATABASE_URL", database.url.render_as_string(hide_password=False))
    assert cli.main(["reverify", *arguments, "--home", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err
