"""``adastar lineage``, ``export``, ``verify``: the record holds, and every kind of tampering is found."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import load_dataset
from sqlalchemy import Connection, Engine, text

from adastar_core.machine.starter import system_user
from adastar_core.machine.version import code_version
from adastar_core.models.source import resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.store import tables
from tests.cli.conftest import Adastar

Json = Callable[..., dict]  # type: ignore[type-arg]


def test_lineage_names_every_training_example(adastar_json: Json, run_database: Engine) -> None:
    found = adastar_json("lineage", "mine:2")
    assert [one["iteration"] for one in found["checkpoints"]] == [2, 1, 0]
    with run_database.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM training_examples WHERE iteration <= 2"))
    assert len(found["examples"]) == count
    for one in found["examples"]:
        assert hashlib.sha256(one["prompt"].encode()).hexdigest() == one["prompt_sha256"]
        training_text = f"{one['training_prompt']}\x1f{one['response']}"
        assert hashlib.sha256(training_text.encode()).hexdigest() == one["text_sha256"]
        assert [verdict["outcome"] for verdict in one["verdicts"]] == ["right"]
        assert one["checkpoint_sha256"] == found["checkpoints"][3 - one["iteration"]]["sha256"]
    assert any(one["hinted"] for one in found["examples"])


def test_an_iteration_that_the_run_does_not_have_is_the_users_mistake(adastar: Adastar) -> None:
    status, _, error = adastar("lineage", "mine:7")
    assert status == 2
    assert (
        "Run 'mine' has no checkpoint of iteration 7. There are those of 0 (the base model) to 3 alone."
        in error
    )


def test_lineage_names_the_code_of_every_process_that_worked_on_the_run(
    adastar: Adastar, adastar_json: Json, run_database: Engine
) -> None:
    """Here the second one had other code, and took over before the last iteration."""
    with run_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO owners SELECT run_id, 2, 'process 1 on there', '9.9', started_at FROM iterations "
                "WHERE iteration = 3"
            )
        )
    found = adastar_json("lineage", "mine:3")
    (rounded,) = found["numerics"].values()
    assert (rounded["engine"], rounded["generation_dtype"], rounded["training_dtype"]) == (
        "transformers",
        "float32",
        "float32",
    )
    assert rounded["processor"]
    assert rounded["threads"] >= 1
    assert "torch" in rounded["versions"]
    assert [one["code_version"] for one in found["owners"]] == [code_version(), "9.9"]
    for one in found["examples"]:
        assert one["code_version"] == ("9.9" if one["iteration"] == 3 else code_version())
    assert f"made by adastar {code_version()}, then 9.9" in adastar("lineage", "mine:3")[1]


def test_lineage_by_directory_and_by_digest(adastar: Adastar, adastar_json: Json) -> None:
    newest = adastar_json("lineage", "mine:3")["checkpoints"][0]
    assert adastar_json("lineage", newest["path"])["checkpoints"][0] == newest
    assert adastar_json("lineage", newest["sha256"][:8])["checkpoints"][0] == newest
    status, out, _ = adastar("lineage", "mine:3")
    assert status == 0
    assert newest["sha256"][:16] in out
    assert adastar("lineage", "0" * 64)[0] == 2


def test_a_directory_decides_between_equal_checkpoints_of_two_runs(
    adastar: Adastar, adastar_json: Json, run_database: Engine
) -> None:
    mine = adastar_json("lineage", "mine:3")["checkpoints"][0]
    folder = next(one for one in Path(mine["path"]).parents if one.parent.name == "runs")
    shutil.copytree(folder, folder.with_name("other-01234567"))
    with run_database.begin() as connection:
        _copy(connection, "runs", name="'other'", uid="'0123456789'")
        _copy(connection, "checkpoints", run_id="(SELECT max(run_id) FROM runs)")
    status, _, complaint = adastar("lineage", mine["sha256"])
    assert status == 2
    assert "is several checkpoints: mine:3, other:3" in complaint
    assert adastar_json("lineage", mine["path"])["checkpoints"][0] == mine
    other = folder.with_name("other-01234567") / Path(mine["path"]).relative_to(folder)
    assert adastar_json("lineage", str(other))["checkpoints"][0]["path"] == str(other)


def _copy(connection: Connection, table: str, **values: str) -> None:
    """Copy a table's rows with other values in some columns."""
    names = [one.name for one in tables.metadata.tables[table].columns if one.identity is None]
    taken = ", ".join(values.get(name, name) for name in names)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(names)}) SELECT {taken} FROM {table}"))


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "hub-dataset"])
def test_export(
    adastar: Adastar, adastar_json: Json, run_database: Engine, tmp_path: Path, kind: str
) -> None:
    output = tmp_path / "rationales"
    written = adastar_json("export", "mine", "--to", kind, "--output", str(output))
    with run_database.connect() as connection:
        assert written["examples"] == connection.scalar(text("SELECT count(*) FROM training_examples"))
    rows, vocabulary = _rows(kind, output, tmp_path / "cache"), Vocabulary(resolve_model("tiny-adder"))
    assert len(rows) == written["examples"]
    for row in rows:
        assert (
            hashlib.sha256(f"{row['prompt']}\x1f{row['completion']}".encode()).hexdigest()
            == row["text_sha256"]
        )
        assert row["verifier"].count("/") == 1
        assert vocabulary.decode(row["completion_ids"]) == row["completion"]
        assert row["code_version"]
        # A data set for others names no user of this machine.
        assert row.get("started_by") == (None if kind == "hub-dataset" else str(system_user()))
    assert ("started_by" in rows[0]) == (kind != "hub-dataset")
    status, _, complaint = adastar("export", "mine", "--to", kind, "--output", str(output))
    assert status == 2
    assert "exists already" in complaint


def _rows(kind: str, output: Path, cache: Path) -> list[dict[str, str]]:
    if kind == "jsonl":
        return [json.loads(line) for line in output.read_text().splitlines()]
    if kind == "parquet":
        return list(load_dataset("parquet", data_files=str(output), split="train", cache_dir=str(cache)))
    return list(load_dataset(str(output), split="train", cache_dir=str(cache)))


def test_an_untouched_run_is_sound(adastar: Adastar, adastar_json: Json) -> None:
    checks = adastar_json("verify", "mine")["checks"]
    assert all(one["count"] > 0 and one["violation"] is None for one in checks)
    status, out, _ = adastar("verify", "mine")
    assert status == 0
    assert out.count(": ok") == len(checks) == 9


TAMPERING = {
    "configuration": "UPDATE runs SET config = jsonb_set(config, '{trainer.learning_rate}', '0.5')",
    "visits and stamps": "UPDATE observation_events SET stamped = NOT stamped WHERE iteration = 2 AND rank = 0",
    "statistics": "UPDATE observation_statistics SET correct = correct + 1 WHERE position = 3",
    "evaluations": "UPDATE evaluations SET correct = correct + 1 WHERE iteration = 1",
    "rollouts": "UPDATE rollouts SET stream = stream + 1 WHERE ctid = (SELECT min(ctid) FROM rollouts)",
    "training examples": "UPDATE verdicts v SET outcome = 'wrong' FROM training_examples e WHERE e.iteration = 1 "
    "AND e.place = 0 AND (v.iteration, v.position, v.attempt) = (e.iteration, e.position, e.attempt)",
    "checkpoints": "UPDATE checkpoints SET sha256 = 'f00d' WHERE iteration = 3",
}


@pytest.mark.parametrize("check", list(TAMPERING))
def test_tampering_is_found(adastar: Adastar, run_database: Engine, check: str) -> None:
    with run_database.begin() as connection:
        assert connection.execute(text(TAMPERING[check])).rowcount
    status, out, _ = adastar("verify", "mine")
    assert status == 1
    assert out.splitlines()[-1].startswith(f"{check} (")
    assert "VIOLATED" in out


@pytest.mark.parametrize(
    ("tampering", "word"),
    [
        ("UPDATE rollouts SET response = response || ' ' FROM training_examples e WHERE e.place = 0 AND e.iteration = 3 "
         "AND (e.iteration, e.position, e.attempt) = (rollouts.iteration, rollouts.position, rollouts.attempt)", "digest"),
        ("UPDATE rollouts SET tokens = (SELECT tokens FROM rollouts WHERE ctid = (SELECT min(ctid) FROM rollouts)) "
         "FROM training_examples e WHERE e.place = 0 AND e.iteration = 3 "
         "AND (e.iteration, e.position, e.attempt) = (rollouts.iteration, rollouts.position, rollouts.attempt)", "token ids"),
        ("UPDATE rollouts SET prompt_sha256 = 'f00d' WHERE ctid = (SELECT min(ctid) FROM rollouts)", "prompt"),
        ("UPDATE rollouts SET checkpoint_sha256 = 'f00d' WHERE ctid = (SELECT min(ctid) FROM rollouts)", "checkpoint"),
        ("DELETE FROM training_examples WHERE iteration = 2 AND place = 0", "D+"),
    ],
)  # fmt: skip
def test_tampering_with_texts_and_rows(
    adastar: Adastar, run_database: Engine, tampering: str, word: str
) -> None:
    with run_database.begin() as connection:
        assert connection.execute(text(tampering)).rowcount == 1
    status, out, _ = adastar("verify", "mine")
    assert status == 1
    assert word in out.splitlines()[-1]


def test_a_changed_file_is_found(adastar: Adastar, run_home: Path) -> None:
    weights = next(run_home.glob("runs/*/checkpoints/iteration-0002/model.safetensors"))
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x99")
    status, out, _ = adastar("verify", "mine")
    assert status == 1
    assert "model.safetensors is changed" in out
