"""``adastar gc``, ``db`` and ``doctor``."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import cli
from adastar_core.postgres.server import is_up, start_local_postgres
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
    status, out, complaint = adastar("doctor")
    assert status == 1
    assert "MISSING database" in out
    assert "MISSING Prefect server" in out
    assert "prefect server start" in out
    assert "hunter2" not in out + complaint
