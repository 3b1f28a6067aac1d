"""``adastar runs``, ``show``, ``observations``, ``report``."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import cli
from adastar_core.machine.starter import system_user
from adastar_core.store.samples import BASE_KINDS, KINDS
from tests.cli.conftest import Adastar, owned
from tests.cli.test_help import all_commands

Json = Callable[..., dict]  # type: ignore[type-arg]


def test_every_command_has_json() -> None:
    app = cli.build()
    commands = [
        words
        for words in all_commands(app)
        if words and words[0] not in ("run", "compare", "init") and words not in (["db"], ["models", "get"])
    ]
    assert {"runs", "lineage", "doctor", "judge", "reverify"} <= {words[0] for words in commands}
    for words in commands:
        command = app
        for word in words:
            command = command[word]
        assert "--json" in [
            name for argument in command.assemble_argument_collection() for name in argument.names
        ], words


def test_runs_lists_what_there_is(adastar: Adastar, adastar_json: Json) -> None:
    status, out, _ = adastar("runs")
    assert status == 0
    assert "mine" in out
    assert "3/3" in out
    (one,) = adastar_json("runs")
    assert (one["name"], one["state"], one["done"], one["problem"]) == ("mine", "finished", 3, "arithmetic")
    assert one["flops"] > 0
    assert one["started_by"] == str(system_user())
    assert str(system_user()) in out


@pytest.mark.parametrize("width", [30, 60, 100])
def test_a_narrow_terminal_breaks_no_word(
    adastar: Adastar, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    status, out, _ = adastar("runs")
    assert status == 0
    assert {"arithmetic", "finished", "adastar", "validation", "3/3"} <= set(
        re.sub(r"\x1b\[[0-9;]*m", " ", out).split()
    )


def test_a_name_from_before_names_were_checked_is_one_row(adastar: Adastar, run_database: Engine) -> None:
    lines = adastar("runs")[1].count("\n")
    with run_database.begin() as connection:
        connection.execute(text("UPDATE runs SET name = :name"), {"name": "my\n[red]run"})
    status, out, _ = adastar("runs")
    assert status == 0
    assert out.count("\n") == lines
    assert "my [red]run" in out


def test_a_run_whose_owner_is_gone_without_a_word_has_crashed(
    adastar_json: Json, run_database: Engine
) -> None:
    with run_database.begin() as connection:
        connection.execute(text("UPDATE runs SET status = 'running'"))
    (found,) = adastar_json("runs")
    assert found["state"] == "crashed"  # type: ignore[call-overload]
    assert "ended without a word" in found["failure"]  # type: ignore[call-overload]
    with owned(run_database):
        assert adastar_json("show", "mine")["state"] == "running"


def test_show_names_everybody_who_started_or_resumed_the_run(
    adastar: Adastar, adastar_json: Json, run_database: Engine
) -> None:
    with run_database.begin() as connection:
        later = "SELECT run_id, 2, owner, code_version, now(), now(), :by, 'nightly', 'f1' FROM owners"
        connection.execute(text(f"INSERT INTO owners {later}"), {"by": "schedule every-night"})
    by_schedule = "schedule every-night, deployment nightly, flow run f1"
    assert f"started by {system_user()}; then by {by_schedule}" in adastar("show", "mine")[1]
    newest = adastar_json("show", "mine")["owners"][-1]
    assert (newest["started_by"], newest["deployment"]) == ("schedule every-night", "nightly")
    assert adastar_json("runs")[0]["started_by"] == str(system_user()), "the first one"  # type: ignore[index]


def test_show_has_iterations_intervals_and_compute(adastar: Adastar, adastar_json: Json) -> None:
    shown = adastar_json("show", "mine")
    assert [row["phase"] for row in shown["iterations"]] == ["advanced"] * 3
    low, high = shown["evaluations"][0]["interval_95"]
    assert 0 <= low < high <= 1
    assert {row["stage"] for row in shown["compute"]} >= {"generate first", "finetune"}
    status, out, _ = adastar("show", "mine")
    assert status == 0
    assert "3 of 3 iterations done" in out


def test_show_names_directory_checkpoints_and_report(
    adastar: Adastar, adastar_json: Json, run_home: Path
) -> None:
    (folder,) = (run_home / "runs").iterdir()
    shown = adastar_json("show", "mine")
    assert (shown["directory"], shown["report"]) == (str(folder), None)
    assert adastar_json("runs")[0]["directory"] == str(folder)  # type: ignore[index]
    assert [row["iteration"] for row in shown["checkpoints"]] == [0, 1, 2, 3]
    assert "none yet: adastar report mine" in adastar("show", "mine")[1]
    adastar("report", "mine")
    spare = {1, 2} - {shown["best_iteration"]}
    adastar("gc", "--delete")
    out = " ".join(adastar("show", "mine")[1].split())
    assert str(folder / "report" / "report.html") in out
    for row in shown["checkpoints"][1:]:
        removed = " (removed by gc)" if row["iteration"] in spare else ""
        assert f"{Path(row['path']).relative_to(folder)}{removed} {row['sha256'][:16]}" in out
    folder.rename(folder.with_name("elsewhere"))
    out = adastar("show", "mine")[1]
    assert "--home names another one" in out
    assert out.count("(missing here)") == 3


@pytest.mark.parametrize(
    ("flag", "condition"),
    [
        ("--never-solved", "times_visited > 0 AND times_trained = 0"),
        ("--over-trained", "times_trained > 2 * (SELECT avg(times_trained) FROM observation_statistics)"),
        ("--under-trained", "times_trained < 0.5 * (SELECT avg(times_trained) FROM observation_statistics)"),
    ],
)
def test_observations(
    adastar: Adastar, adastar_json: Json, run_database: Engine, flag: str, condition: str
) -> None:
    with run_database.connect() as connection:
        query = text(f"SELECT position FROM observation_statistics WHERE {condition}")
        expected = set(connection.scalars(query))
    found = adastar_json("observations", "mine", flag, "--limit", "1000")
    assert {row["position"] for row in found["rows"]} == expected
    assert found["matching"] == len(expected)
    status, out, _ = adastar("observations", "mine", flag, "--limit", "2")
    assert status == 0
    assert f"{flag.removeprefix('--')}: {len(expected):,}" in out


def test_report_writes_the_files_again(adastar_json: Json, run_home: Path, run_database: Engine) -> None:
    written = adastar_json("report", "mine")
    assert written["summary"]["run"] == "mine"
    assert [one["t"] for one in written["summary"]["iterations"]] == [1, 2, 3]
    page = Path(written["files"]["report.html"])
    assert page.is_relative_to(run_home)
    assert "<h1>mine</h1>" in page.read_text()
    with run_database.begin() as connection:
        best = written["summary"]["best_iteration"]
        counts = connection.execute(
            text(
                "SELECT b.outcome = 'right', a.outcome = 'right', count(*) FROM evaluation_answers b JOIN evaluation_answers a "
                "USING (run_id, split, position) WHERE b.iteration = 0 AND a.iteration = :best AND split = :split GROUP BY 1, 2"
            ),
            {"best": best, "split": "test" if best == 0 else "validation"},
        ).all()
        connection.execute(text("UPDATE runs SET status = 'failed', failure = 'no <b>luck</b>'"))
    titles = {
        (True, True): KINDS["kept"] if best else BASE_KINDS["kept"],
        (True, False): KINDS["lost"],
        (False, True): KINDS["gained"],
    }
    for was, is_now, count in counts:
        if title := titles.get((was, is_now)):
            assert f"{title} ({count} questions)" in page.read_text()
    adastar_json("report", "mine")
    assert "The run failed: no &lt;b&gt;luck&lt;/b&gt;" in page.read_text()


def test_an_unknown_run_is_named_with_those_that_exist(adastar: Adastar) -> None:
    status, _, complaint = adastar("show", "yours")
    assert status == 2
    assert "'yours'" in complaint
    assert "mine" in complaint


def test_without_any_run_the_command_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ADASTAR_DATABASE_URL", raising=False)
    assert cli.main(["runs", "--home", str(tmp_path)]) == 2
    assert "flows/adastar.py" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
