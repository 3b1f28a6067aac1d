"""The main job as users run it: a process, a real Prefect server, a real database, the real tiny model."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
import yaml
from sqlalchemy import Engine, text

from adastar_core import cli, names
from adastar_core.config.files import resolve
from flows.adastar import adastar as run_flow
from tests.flows.conftest import Command
from tests.support.runs import outcome_of

SUMMARY = [
    "run",
    "preset",
    "config_sha256",
    "problem",
    "method",
    "base_model",
    "seed",
    "base_validation_accuracy",
    "base_test_accuracy",
    "test_accuracy",
    "best_iteration",
    "total_pflops",
    "total_padded_pflops",
    "wall_seconds",
    "checkpoint",
    "iterations",
]
ITERATION = [
    "t",
    "beta",
    "m",
    "accepted",
    "surplus",
    "alpha",
    "stamped",
    "first_try_accuracy",
    "false_positive_share",
    "validation_accuracy",
    "pflops",
    "padded_pflops",
    "seconds",
]


def test_a_run_its_continuation_and_its_refusal(
    adastar: Command,
    adastar_process: Command,
    configuration: Path,
    database: Engine,
    tmp_path: Path,
    prefect_environment: dict[str, str],
) -> None:
    """One run, in the order a user would: run, run again, extend, change a value."""
    arguments = ("--config", str(configuration), "--run", "mine", "--summary", str(tmp_path / "summary.json"))

    first = adastar_process(*arguments)
    assert first.returncode == 0, first.stderr
    assert "t=3" in first.stdout
    assert "report.html" in first.stdout
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(SUMMARY) <= set(summary)
    assert [set(ITERATION) <= set(one) for one in summary["iterations"]] == [True] * 3
    assert Path(summary["checkpoint"], "model.safetensors").is_file()
    assert summary["total_pflops"] == pytest.approx(sum(one["pflops"] for one in summary["iterations"]))
    before = outcome_of(database, 1)

    artifacts = httpx.post(
        f"{prefect_environment['PREFECT_API_URL']}/artifacts/latest/filter", json={}
    ).json()
    mine = {one["key"]: one["type"] for one in artifacts if one["key"].startswith("mine-")}
    kinds = {"iterations": "table", "report": "markdown"}
    assert mine == {names.key("mine", what): kind for what, kind in kinds.items()}

    (tmp_path / "summary.json").unlink()
    again = adastar(*arguments)
    assert again.returncode == 0, again.stderr
    assert outcome_of(database, 1) == before
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert "Run mine is already finished. Test accuracy" in again.stdout
    assert "--set iterations=6 (it has 3)" in again.stdout
    assert "report.html" in again.stdout
    assert "t=1" not in again.stdout
    with database.connect() as connection:  # nobody took it over, and it stayed finished
        assert connection.execute(text("SELECT lease_epoch, status FROM runs")).one() == (1, "finished")
    everything = adastar(*arguments, "--set", "evaluation.test_every_iteration=true")
    assert everything.returncode == 0, everything.stderr
    assert "already finished" not in everything.stdout
    with database.connect() as connection:
        tested = connection.scalar(text("SELECT count(*) FROM evaluations WHERE split = 'test'"))
    assert tested == 4
    before = outcome_of(database, 1)

    longer = adastar(*arguments, "--set", "iterations=4")
    assert longer.returncode == 0, longer.stderr
    after = outcome_of(database, 1)
    assert [row[0] for row in after["iterations"]] == [1, 2, 3, 4]
    assert after["events"][: len(before["events"])] == before["events"]

    other = adastar(*arguments, "--set", "attempts=3", "--set", "trainer.weight_decay=0.5")
    assert other.returncode == 2
    assert "attempts was 2, is now 3" in other.stderr
    assert "trainer.weight_decay was 0.01, is now 0.5" in other.stderr
    assert outcome_of(database, 1) == after


def test_a_model_that_gets_nothing_right_ends_with_advice(
    adastar: Command,
    configuration: Path,
    database: Engine,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = tmp_path / "impossible.jsonl"
    data.write_text("".join(f'{{"question": "{n}+{n}", "answer": "123456789{n}"}}\n' for n in range(10, 40)))
    values = yaml.safe_load(configuration.read_text())
    values["problem"] = {"type": "table", "path": str(data)}
    configuration.write_text(yaml.safe_dump(values))
    result = adastar("--config", str(configuration))
    assert result.returncode == 1, result.stdout + result.stderr
    assert "observations accepted in iteration 1" in result.stderr
    assert "0 of" in result.stderr
    assert "Traceback" not in result.stderr
    with database.connect() as connection:
        (run,) = connection.execute(text("SELECT name, status, failure FROM runs")).all()
    assert run.status == "failed"
    assert run.failure in result.stderr.strip()
    (page,) = (tmp_path / "home" / "runs").glob("*/report/report.html")
    assert "The run failed: 0 of" in page.read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADASTAR_DATABASE_URL", database.url.render_as_string(hide_password=False))
        for words in (["show", run.name], ["runs"]):
            capfd.readouterr()
            assert cli.main([*words, "--home", str(tmp_path / "home")]) == 0
            assert f"failed: {run.failure}" in capfd.readouterr().out


def test_a_nightly_rerun_of_grown_data_visits_the_new_observations_first(
    adastar: Command,
    prefect_client: Callable[[], AbstractContextManager[object]],
    configuration: Path,
    database: Engine,
    tmp_path: Path,
) -> None:
    """And a rerun of a finished run is another run, named after the day."""
    data = tmp_path / "sums.jsonl"
    rows = [
        f'{{"id": "{a}+{b}", "question": "{a}+{b}", "answer": "{a + b}"}}\n'
        for a in range(1, 10)
        for b in range(1, 10)
    ]
    values = yaml.safe_load(configuration.read_text())
    values |= {"problem": {"type": "table", "path": str(data), "id": "id"}, "iterations": 1}
    configuration.write_text(yaml.safe_dump(values))
    data.write_text("".join(rows[:60]))
    first = adastar("--config", str(configuration), "--run", "grows")
    assert first.returncode == 0, first.stderr
    count = text("SELECT count(*) FROM observations JOIN runs USING (dataset_id) WHERE name = 'grows'")
    with database.connect() as connection:
        known = connection.scalar(count)
    data.write_text("".join(rows))
    with prefect_client():
        runs = [run_flow(resolve(values), "grows", rerun="nightly").run for _ in range(2)]
    assert runs[0] == "grows"
    assert re.fullmatch(r"grows-\d{4}-\d\d-\d\d", runs[1])
    with database.connect() as connection:
        visits = connection.execute(
            text(
                "SELECT position, previous_last_iteration FROM observation_events WHERE iteration = 2 ORDER BY rank"
            )
        ).all()
        entered = connection.scalar(count) - known
        totals = connection.execute(
            text(
                "SELECT iteration, split, total FROM evaluations JOIN runs USING (run_id) WHERE name = 'grows' ORDER BY 1, 2"
            )
        ).all()
        asked = connection.scalars(
            text(
                "SELECT DISTINCT string_agg(observation_id, ' ' ORDER BY position) FROM evaluation_answers "
                "JOIN runs USING (run_id) WHERE name = 'grows' AND split = 'validation' GROUP BY iteration"
            )
        ).all()
    assert entered > 5
    never = [position for position, last in visits if last == 0]
    assert set(range(known, known + entered)) <= set(never)
    assert [position for position, _ in visits[: len(never)]] == never
    assert [one.iteration for one in totals if one.split == "validation"] == [0, 1, 2]
    assert len({one.total for one in totals if one.split == "validation"}) == 1
    assert len(asked) == 1, "every checkpoint is measured on the same questions"
