"""Judging inside the loop: worker processes that end with the run, and rationales that the filter rejects."""

import json
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, text

from adastar_core import cli, stages
from adastar_core.errors import NothingAccepted
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import TransformersGenerator
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Attempt, GenerationRequest, Split
from adastar_core.report.build import report_of
from adastar_core.runs import judging
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.store.incidents import read_incidents
from adastar_core.store.overview import read_overview
from adastar_core.verifiers.math import MathVerifier
from adastar_core.verifiers.math_pool import STEPS, MathPool
from tests.support.runs import run_iteration, small_config
from tests.support.scripted import ScriptedGenerator

Script = Callable[[Workspace, GenerationRequest], str]


def first_wave(workspace: Workspace, script: Script) -> None:
    """Sample, generate by the script and verify once."""
    workspace.generators.use(ScriptedGenerator(lambda one: script(workspace, one)))
    stages.sample(workspace, 1, 0)
    stages.generate(workspace, 1, 0)
    stages.verify(workspace, 1, 0)


def formulas_file(folder: Path) -> str:
    path = folder / "formulas.jsonl"
    rows = [{"question": f"{n} more than x?", "answer": f"x+{n}"} for n in range(1, 41)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_hanging_formula_is_marked_and_counted_and_no_worker_outlives_the_run(
    database: Engine, tmp_path: Path
) -> None:
    config = small_config(
        database,
        tmp_path,
        "problem=table",
        f"problem.path={formulas_file(tmp_path)}",
        "problem.verifier=math",
    )
    before = set(psutil.Process().children())

    def script(workspace: Workspace, one: GenerationRequest) -> str:
        if one.position == 3:
            return r"So the answer is $\binom{10^{9}}{10^{8}}$."
        return f"Add it. The answer is ${workspace.train[one.position].answer[2:]}+x$."

    with open_workspace(config, "formulas") as workspace:
        verifier = workspace.problem.verifier
        assert isinstance(verifier, MathVerifier)
        verifier._pool = MathPool(verifier.workers, 0.5, STEPS, 1.0)
        first_wave(workspace, script)
        workers = set(psutil.Process().children()) - before
        assert 1 <= len(workers) <= verifier.workers
        with database.connect() as connection:
            outcomes = dict(
                tuple(row)
                for row in connection.execute(text("SELECT outcome, count(*) FROM verdicts GROUP BY outcome"))
            )
            (incident,) = read_incidents(connection, workspace.run_id)
            why = connection.scalar(text("SELECT reason FROM verdicts WHERE outcome = 'undecided'"))
    assert outcomes == {"right": sum(outcomes.values()) - 1, "undecided": 1}
    assert why == "cut short: one step of the comparison took too long"
    assert (incident.kind, incident.times) == ("verdict cut short", 1)
    deadline = time.monotonic() + 10
    while any(worker.is_running() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(worker.is_running() for worker in workers)


def test_rejections_are_stored_counted_and_reported(database: Engine, tmp_path: Path) -> None:
    """Every other observation gets a bare answer at first: right, settled, won, and not trained on."""

    def script(workspace: Workspace, one: GenerationRequest) -> str:
        thought = "" if one.position % 2 else "Carry the one.\n"
        return f"{thought}#### {workspace.train[one.position].answer}"

    with open_workspace(small_config(database, tmp_path, "iterations=1"), "half") as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        workspace.generators.use(ScriptedGenerator(lambda one: script(workspace, one)))
        run_iteration(workspace, 1)
        report = report_of(workspace, best=0)
        with database.connect() as connection:
            stored = connection.execute(
                text(
                    "SELECT DISTINCT v.position % 2, v.rejected_by, v.rejected_because, e.position IS NOT NULL AS trained "
                    "FROM verdicts v JOIN observation_events o USING (run_id, iteration, position) "
                    "LEFT JOIN training_examples e USING (run_id, iteration, position, attempt) ORDER BY 1"
                )
            ).all()
            won = connection.scalars(text("SELECT DISTINCT correct FROM observation_events")).all()
    assert [tuple(row) for row in stored] == [
        (0, None, None, True),
        (1, "empty", "an answer without a rationale", False),
    ]
    assert won == [1]
    (row,) = report.iterations
    assert row.accepted == row.beta
    assert row.rejected == row.m - row.accepted > 5
    assert row.alpha == pytest.approx(row.accepted / row.m)
    assert f"kept {row.rejected} right answers out of training: {row.rejected} empty." in " ".join(
        report.notes
    )


def test_when_all_right_answers_are_rejected_the_advice_names_the_filter(
    database: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = small_config(database, tmp_path, "problem.train=8")
    with open_workspace(config, "bare") as workspace:
        first_wave(workspace, lambda workspace, one: f"#### {workspace.train[one.position].answer}")
        match = r"rejected all 8 right answers.*filter\.empty: false"
        with pytest.raises(NothingAccepted, match=match) as raised:
            stages.sample(workspace, 1, 1)
    shown = advised(str(raised.value), database, capsys)
    assert shown.count("kept out of training: empty") == 8


def test_when_nothing_is_right_the_advice_shows_what_the_model_said(
    database: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_workspace(small_config(database, tmp_path, "problem.train=8"), "all 'wrong'") as workspace:
        workspace.generators.use(ScriptedGenerator(lambda one: "I do not know."))
        spent = []
        for _ in range(2):
            with pytest.raises(NothingAccepted, match="answered none of them right") as raised:
                run_iteration(workspace, 1)
            overview = workspace.read(read_overview)
            spent.append(overview.flops if overview else 0)
    assert spent[0] == spent[1] > 0
    assert "I do not know." in advised(str(raised.value), database, capsys)


def advised(message: str, database: Engine, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command in a message prints, its stars replaced by the password."""
    with pytest.MonkeyPatch.context() as patch:
        setting, program, *words = shlex.split(message.split("`")[1])
        name, url = setting.split("=", 1)
        assert program == "adastar"
        assert str(database.url.password) not in message
        patch.setenv(name, url.replace("***", str(database.url.password)))
        capsys.readouterr()
        assert cli.main(words) == 0
    return capsys.readouterr().out


def test_verdicts_are_reached_while_the_next_batch_is_generated(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each batch but the wave's last is judged before the generation after the next; all is stored by the stage that verifies."""
    config = small_config(database, tmp_path, "generator.batch_size=4")
    judged_before: list[int] = []
    with open_workspace(config, "ahead") as workspace:
        reached, real = workspace.judge.reached, TransformersGenerator.generate

        def generate(
            generator: TransformersGenerator, requests: Sequence[GenerationRequest], decoding: Decoding
        ) -> list[Attempt]:
            judged_before.append(len(reached))
            return real(generator, requests, decoding)

        monkeypatch.setattr(TransformersGenerator, "generate", generate)
        planned = stages.sample(workspace, 1, 0).planned
        stages.generate(workspace, 1, 0)
        batches = -(-planned // 4)
        assert len(judged_before) == batches >= 3
        assert judged_before[2] >= 1  # the first batch is behind the second, and done before the third
        with database.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM verdicts")) == 0
        train, ahead = workspace.train, dict(reached)
        monkeypatch.setattr(judging, "verify_all", lambda _, responses: [{}[one] for one in responses])
        assert stages.verify(workspace, 1, 0).judged == planned
        assert reached == {}
    judge = open_problem(config.problem).verifier
    for (position, _, response, finish_reason), verdict in ahead.items():
        assert judge.verify(train[position], response, finish_reason) == verdict


def test_a_users_verifier_is_called_in_the_first_thread_alone(database: Engine, tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text(
        "import threading\nclass Mine:\n    version = 'mine/1'\n    def verify(self, observation, response, reason):\n"
        "        assert threading.current_thread() is threading.main_thread()\n        return True\n"
    )
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(json.dumps({"question": f"{n}+1", "answer": f"{n + 1}"}) + "\n" for n in range(60))
    )
    wanted = ("problem=table", f"problem.path={rows}", f"problem.verifier={module}:Mine")
    with open_workspace(small_config(database, tmp_path, *wanted), "mine") as workspace:
        first_wave(workspace, lambda _workspace, one: f"#### {one.position}")
    with database.connect() as connection:
        assert connection.scalars(text("SELECT DISTINCT outcome FROM verdicts")).all() == ["right"]
