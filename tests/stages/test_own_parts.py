"""Runs with a problem and a verifier of the user's own."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import cli, stages
from adastar_core.audit.reverify import reverify
from adastar_core.audit.verify import verify
from adastar_core.config import RunConfig
from adastar_core.config.files import resolve
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import open_stored
from adastar_core.verifiers.catalogue import parse_verifier
from tests.support.own_parts import PARTS, install_parts, write_parts
from tests.support.runs import SMALL, run_iteration
from tests.support.scripted import ScriptedGenerator


def own_config(engine: Engine, home: Path, problem: dict[str, object]) -> RunConfig:
    url = engine.url.render_as_string(hide_password=False)
    fixed = {**SMALL, "iterations": 2, "problem": problem, "database_url": url, "home": str(home)}
    return resolve(fixed)


def violations(engine: Engine, home: Path, name: str) -> list[str | None]:
    return [one.violation for one in verify(open_stored(engine, home, name)) if one.violation]


def versions(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT DISTINCT verifier FROM verdicts ORDER BY 1")))


@pytest.mark.parametrize("installed", [False, True], ids=["file", "entry point"])
def test_the_packaged_model_learns_a_problem_of_the_users_own(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, installed: bool
) -> None:
    path = "own-sums" if installed else f"{write_parts(tmp_path)}:Sums"
    if installed:
        install_parts(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
    config = own_config(
        database, tmp_path, {"type": "custom", "path": path, "options": {"count": 150}, "test_limit": 5}
    )
    with open_workspace(config, "own") as workspace:
        for iteration in (1, 2):
            run_iteration(workspace, iteration)
        assert stages.evaluate(workspace, 2, Split.TEST).accuracy.total == 5
    assert versions(database) == ["last-line/1"]
    assert violations(database, tmp_path, "own") == []


def test_another_version_of_the_users_verifier_judges_the_open_iteration_again(
    database: Engine, tmp_path: Path
) -> None:
    config = own_config(database, tmp_path, {"type": "custom", "path": f"{write_parts(tmp_path)}:Sums"})
    with open_workspace(config, "own") as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        stages.sample(workspace, 1, 0)
        stages.generate(workspace, 1, 0)
        stages.verify(workspace, 1, 0)
    write_parts(tmp_path, PARTS.replace("last-line/1", "last-line/2"))
    with open_workspace(config, "own") as workspace:
        run_iteration(workspace, 1)
    assert versions(database) == ["last-line/1", "last-line/2"]
    with database.connect() as connection:
        assert connection.scalar(text("SELECT verifier FROM iterations")) == "last-line/2"
    assert violations(database, tmp_path, "own") == []


def test_what_a_verifier_raises_is_a_row(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table's verifier by import path fails on every third response; the rest train."""
    file = write_parts(tmp_path)
    rows = [{"question": f"{n}+{n}", "answer": str(2 * n)} for n in range(10, 70)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = {"type": "table", "path": str(tmp_path / "rows.jsonl"), "verifier": f"{file}:LastLine"}
    with open_workspace(own_config(database, tmp_path, table), "own") as workspace:
        train = workspace.train
        script = ScriptedGenerator(
            lambda one: f"{'boom' if one.position % 3 == 0 else 'Twice.'}\n#### {train[one.position].answer}"
        )
        workspace.generators.use(script)
        run_iteration(workspace, 1)
    with database.connect() as connection:
        found = connection.execute(text("SELECT DISTINCT position % 3 = 0, outcome, reason FROM verdicts"))
        assert sorted(map(tuple, found)) == [
            (False, "right", "as the verifier says"),
            (True, "undecided", "the verifier failed (ArithmeticError: boom)"),
        ]
    again = reverify(database, "own", parse_verifier(f"{file}:LastLine"))
    assert (again.judged, again.verifier) == (0, "last-line/1")
    harsh = reverify(
        database, "own", parse_verifier(f"{{path: '{write_other(tmp_path)}:LastLine', options: {{}}}}")
    )
    assert (harsh.verifier, [one.old for one in harsh.disagreements]) == ("harsh/1", ["right"])
    monkeypatch.setenv("ADASTAR_DATABASE_URL", database.url.render_as_string(hide_password=False))
    assert cli.main(["reverify", "own", "--home", str(tmp_path), "--verifier", f"{file}:LastLine"]) == 0


def write_other(folder: Path) -> Path:
    (folder / "other").mkdir()
    return write_parts(
        folder / "other", PARTS.replace("last-line/1", "harsh/1").replace("== observation.answer", "is None")
    )
