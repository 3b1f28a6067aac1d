"""``adastar gc``, ``db`` and ``doctor``."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import cli
from adastar_core.postgres.server import is_up, start_local_postgres
from adastar_core.store.tables import metadata
from tests.cli.conftest import Adastar, owned
from tests.conftest import new_database

Json = Callable[..., dict]  # type: ignore[type-arg]


def test_gc_keeps_best_and_last_and_verify_still_holds(
    adastar: Adastar, adastar_json: Json, run_home: Path, run_database: Engine
) -> None:
    best = adastar_json("show", "mine")["best_iteration"]
    spare = {1, 2} - {best}
    dry = adastar_json("gc")
    assert {one["iteration"] for one in dry["directories"] if one["sha256"]} == spare
    weights = {
        number: next(run_home.glob(f"runs/*/checkpoints/*{number}/*.safetensors")) for number in (1, 2, 3)
    }
    assert all(path.is_file() for path in weights.values())
    (ids,) = dry["token_ids"]
    assert set(ids["iterations"]) == spare
    assert ids["bytes"] > 0
    assert _iterations_with_tokens(run_database) == {1, 2, 3}

    status, out, _ = adastar("gc", "--delete")
    assert status == 0
    assert "freed" in out
    assert {number for number, path in weights.items() if not path.exists()} == spare
    assert adastar("verify", "mine")[0] == 0
    assert adastar_json("gc")["directories"] == []
    assert adastar_json("gc")["token_ids"][0]["bytes"] == 0
    assert _iterations_with_tokens(run_database) == {1, 2, 3} - spare


def _iterations_with_tokens(database: Engine) -> set[int]:
    with database.connect() as connection:
        return set(
            connection.scalars(text("SELECT DISTINCT iteration FROM rollouts WHERE tokens IS NOT NULL"))
        )


def test_gc_keeps_every_nth(adastar_json: Json) -> None:
    assert not [one for one in adastar_json("gc", "--every", "1")["directories"] if one["sha256"]]


def test_gc_leaves_a_run_in_use_and_foreign_directories_alone(
    adastar: Adastar, adastar_json: Json, run_database: Engine, tmp_path: Path
) -> None:
    with owned(run_database):
        assert adastar_json("gc", "--delete") == {
            "deleted": True,
            "directories": [],
            "token_ids": [],
            "in_use": ["mine"],
            "orphans": [],
        }
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    with run_database.begin() as connection:
        connection.execute(
            text("UPDATE checkpoints SET path = :path WHERE iteration > 0"), {"path": str(precious)}
        )
    status, _, complaint = adastar("gc", "--delete")
    assert status == 2
    assert str(precious) in complaint
    assert (precious / "file").exists()


def test_status_and_backup(
    adastar: Adastar, adastar_json: Json, run_database: Engine, administrator: Engine, tmp_path: Path
) -> None:
    status = adastar_json("db", "status")
    assert status["revision"] == status["wanted_revision"]
    assert status["runs"] == 1
    assert str(run_database.url.password) not in json.dumps(status)
    copy = tmp_path / "copy.dump"
    made = adastar_json("db", "backup", str(copy))
    assert made["bytes"] == copy.stat().st_size
    with new_database(administrator, "restored"):
        target = run_database.url.set(drivername="postgresql", database="restored")
        program = made["restore_program"]
        url = target.render_as_string(hide_password=False)
        subprocess.run([program, "--no-owner", f"--dbname={url}", str(copy)], check=True)
        assert _count_rollouts(administrator, "restored") == _count_rollouts(
            administrator, str(run_database.url.database)
        )
    assert adastar("db", "backup", str(copy))[0] == 2


def _count_rollouts(administrator: Engine, name: str) -> int:
    from adastar_core.store.database import connect

    engine = connect(administrator.url.set(database=name))
    with engine.connect() as connection:
        count = int(str(connection.scalar(text("SELECT count(*) FROM rollouts"))))
    engine.dispose()
    return count


def test_upgrade(adastar: Adastar, adastar_json: Json) -> None:
    status, out, _ = adastar("db", "upgrade")
    assert status == 0
    assert "adastar db upgrade" not in out
    upgraded = adastar_json("db", "upgrade")
    assert upgraded["revision"] == upgraded["wanted_revision"]


def test_stop(make_home: Callable[[], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADASTAR_DATABASE_URL", raising=False)
    home = make_home()
    start_local_postgres(home, durable=False)
    assert is_up(home)
    assert cli.main(["db", "stop", "--home", str(home)]) == 0
    assert not is_up(home)


def test_doctor_finds_this_machine_healthy(adastar_json: Json) -> None:
    found = {one["what"]: one for one in adastar_json("doctor")["findings"]}
    assert found["database"]["state"] == "ok"
    assert found["engine"]["state"] == "ok"


def test_doctor_names_what_is_missing_and_how_to_fix_it(
    adastar: Adastar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADASTAR_DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/nowhere")
    monkeypatch.setenv("PREFECT_API_URL", "http://me:hunter2@127.0.0.1:1/api")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "me:hunter2")
    monkeypatch.setenv("HF_TOKEN", "hf_hunter2")
    status, out, complaint = adastar("doctor")
    assert status == 1
    assert "MISSING database" in out
    assert "MISSING Prefect server" in out
    assert "prefect server start" in out
    assert "hunter2" not in out + complaint


def test_gc_lists_directories_that_no_row_names_and_leaves_them(
    adastar: Adastar, adastar_json: Json, run_home: Path, run_database: Engine
) -> None:
    assert adastar_json("gc")["orphans"] == []
    (folder,) = (run_home / "runs").iterdir()
    unknown, beside = (
        run_home / "runs" / "lost-01234567",
        folder / "checkpoints" / "iteration-0002-0123456789ab",
    )
    for directory in (unknown, beside):
        directory.mkdir()
        (directory / "weights").write_bytes(b"123")
    expected = [
        {"run": None, "path": str(unknown), "bytes": 3},
        {"run": "mine", "path": str(beside), "bytes": 3},
    ]
    assert sorted(adastar_json("gc", "--delete")["orphans"], key=str) == sorted(expected, key=str)
    assert (unknown / "weights").exists()
    assert (beside / "weights").exists()
    out = adastar("gc")[1]
    assert str(unknown) in out
    assert str(beside) in out
    with owned(run_database):  # which may just be publishing one
        assert [one["run"] for one in adastar_json("gc")["orphans"]] == [None]


def counts(database: Engine) -> dict[str, int]:
    with database.connect() as connection:
        return {
            name: connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in metadata.tables
        }


def test_drop_is_dry_until_told_and_then_leaves_nothing_of_the_run(
    adastar: Adastar, adastar_json: Json, run_home: Path, run_database: Engine
) -> None:
    before = counts(run_database)
    (folder,) = (run_home / "runs").iterdir()
    dry = adastar_json("drop", "mine")
    assert (dry["deleted"], dry["directory"], dry["checkpoints"]) == (False, str(folder), 3)
    assert dry["row_bytes"] > 10_000
    assert dry["file_bytes"] == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert counts(run_database) == before
    assert folder.is_dir()

    status, out, _ = adastar("drop", "mine", "--delete")
    assert status == 0
    assert "is removed" in out
    after = counts(run_database)
    assert {name for name, count in after.items() if count} == {"datasets", "observations"}
    assert after["observations"] == before["observations"]
    assert not list((run_home / "runs").iterdir())
    assert adastar("drop", "mine")[0] == 2
    assert adastar_json("gc")["orphans"] == []


def test_a_run_that_somebody_owns_or_started_from_is_not_dropped(
    adastar: Adastar, run_home: Path, run_database: Engine
) -> None:
    before = counts(run_database)
    for words in (["drop", "mine"], ["drop", "mine", "--delete"]):
        with owned(run_database):
            status, _, complaint = adastar(*words)
        assert status == 2
        assert "owned by another process" in complaint
    assert counts(run_database) == before
    (folder,) = (run_home / "runs").iterdir()
    (run_home / "link").symlink_to(folder)
    base = run_home / "link" / "checkpoints" / "iteration-0003"
    with run_database.begin() as connection:
        copied = [column.name for column in metadata.tables["runs"].columns if column.identity is None]
        taken = ", ".join({"name": "'next'", "uid": "'0123456789'"}.get(name, name) for name in copied)
        connection.execute(text(f"INSERT INTO runs ({', '.join(copied)}) SELECT {taken} FROM runs"))
        connection.execute(
            text(
                "INSERT INTO checkpoints (run_id, iteration, path, sha256, bytes, parameters) "
                "SELECT max(run_id), 0, :path, 'a', 1, 1 FROM runs"
            ),
            {"path": str(base)},
        )
    before = counts(run_database)
    status, _, complaint = adastar("drop", "mine", "--delete")
    assert status == 2
    assert "Drop run 'next' first" in complaint
    assert counts(run_database) == before
    assert base.is_dir()


def test_a_run_whose_files_are_gone_or_a_link_can_be_dropped_without_harm(
    adastar: Adastar, run_home: Path, tmp_path: Path
) -> None:
    (folder,) = (run_home / "runs").iterdir()
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    assert "none in this data directory" in adastar("drop", "mine")[1]
    folder.symlink_to(elsewhere)
    status, _, complaint = adastar("drop", "mine", "--delete")
    assert status == 2
    assert "Remove it by hand" in complaint
    assert (elsewhere / "checkpoints").is_dir()
