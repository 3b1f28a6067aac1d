"""The file store as ``adastar gc``, ``drop``, ``verify``, ``doctor``, ``report``, ``export`` and ``publish`` know it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

from adastar_core import cli
from adastar_core.models.checkpoints import MANIFEST, REMOVED, open_checkpoint, verify
from adastar_core.models.filestore import VARIABLE, FileStore
from adastar_core.runs.stored import StoredRun, open_stored
from tests.cli.conftest import Adastar

Json = Callable[..., dict]  # type: ignore[type-arg]


@pytest.fixture
def shared(
    store_address: str, run_database: Engine, run_home: Path, monkeypatch: pytest.MonkeyPatch
) -> StoredRun:
    """The finished run, its checkpoints in a file store too, and its last owner had that."""
    monkeypatch.setenv(VARIABLE, store_address)
    with run_database.begin() as connection:
        connection.execute(text("UPDATE runs SET file_store = :it"), {"it": store_address})
    stored = open_stored(run_database, run_home, "mine")
    for iteration in (1, 2, 3):
        row = stored.checkpoint(iteration)
        store_of(stored).put(open_checkpoint(Path(row.path)), stored.key_of(row))
    return stored


def store_of(stored: StoredRun) -> FileStore:
    assert stored.file_store is not None
    return stored.file_store


def of(stored: StoredRun, iteration: int) -> set[str]:
    """Return the names of a checkpoint's files in the store."""
    return set(store_of(stored).sizes(stored.key_of(stored.checkpoint(iteration))))


def test_gc_removes_here_and_in_the_store_and_every_machine_knows_that_it_was_on_purpose(
    shared: StoredRun, adastar: Adastar, adastar_json: Json, tmp_path: Path
) -> None:
    best = adastar_json("show", "mine")["best_iteration"]
    spare = {1, 2} - {best}
    found = [one for one in adastar_json("gc")["directories"] if one["sha256"]]
    address = store_of(shared).address
    for iteration in spare:
        places = [one["path"] for one in found if one["iteration"] == iteration]
        assert [place.startswith(address) for place in places] == [False, True]
    assert {one["iteration"] for one in found} == spare
    assert all(MANIFEST in of(shared, iteration) for iteration in (1, 2, 3))

    assert adastar("gc", "--delete")[0] == 0
    for iteration in (1, 2, 3):
        assert (of(shared, iteration) == {REMOVED}) == (iteration in spare)
    assert adastar_json("gc")["directories"] == []
    elsewhere = tmp_path / "second machine"
    assert cli.main(["verify", "mine", "--home", str(elsewhere)]) == 0
    assert adastar("verify", "mine")[0] == 0

    # As after a gc that was killed: what is left is listed, and removed by the next one.
    (left,) = {f"{shared.key_of(shared.checkpoint(iteration))}/config.json" for iteration in [min(spare)]}
    store_of(shared).write(left, b"{}")
    (listed,) = adastar_json("gc", "--delete")["directories"]
    assert (listed["iteration"], listed["key"]) == (min(spare), left.rpartition("/")[0])
    assert of(shared, min(spare)) == {REMOVED}


def test_verify_reads_what_is_in_the_store_alone(
    shared: StoredRun, adastar: Adastar, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere, key = (
        ["verify", "mine", "--home", str(tmp_path / "second")],
        shared.key_of(shared.checkpoint(2)),
    )
    assert cli.main(elsewhere) == 0
    assert not (tmp_path / "second").exists()
    content = store_of(shared)._files.cat_file(f"{store_of(shared)._root}/{key}/config.json")
    store_of(shared).write(f"{key}/config.json", bytes(reversed(content)))
    assert adastar("verify", "mine")[0] == 0  # it is sound here, and of the right size there
    assert cli.main(elsewhere) == 1
    assert f"{key}/config.json is changed" in capsys.readouterr().out
    store_of(shared).write(f"{key}/config.json", b"{}")
    status, out, _ = adastar("verify", "mine")
    assert status == 1
    assert f"{store_of(shared).address}/{key}/config.json is changed" in out


def test_show_says_what_is_in_the_store_and_fetches_nothing(
    shared: StoredRun,
    adastar: Adastar,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def elsewhere(*options: str) -> str:
        assert cli.main(["show", "mine", "--home", str(tmp_path / "second"), *options]) == 0
        assert not (tmp_path / "second").exists()
        return " ".join(capsys.readouterr().out.split())

    assert adastar("report", "mine")[0] == 0
    place = f"{store_of(shared).address}/{shared.store_key}"
    out = elsewhere()
    assert out.count("(in the file store)") == 3
    assert "missing" not in out
    assert f"(nothing is here yet) file store {place} report {place}/report/report.html" in out
    states = [row["state"] for row in json.loads(elsewhere("--json"))["checkpoints"]]
    assert states == ["here", *["in the file store"] * 3]

    monkeypatch.setenv(VARIABLE, "s3://no-such-bucket-anywhere")
    out = elsewhere()
    assert (out.count("(missing here)"), "does not list" in out) == (3, True)
    monkeypatch.delenv(VARIABLE)
    assert f"Set {VARIABLE}={store_of(shared).address} to reach them." in elsewhere()


@pytest.mark.parametrize(
    "command", ["verify", "gc --delete", "drop --delete", "publish --iteration 2 --to out"]
)
def test_a_command_that_needs_the_store_says_so_where_none_is_set(
    shared: StoredRun,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    """Else ``drop`` and ``gc`` would leave its files there, and the others would call them lost."""
    address = store_of(shared).address
    monkeypatch.delenv(VARIABLE)
    monkeypatch.chdir(tmp_path)
    name, *options = command.split()
    run = ["--run", "mine"] if name == "gc" else ["mine"]
    assert cli.main([name, *run, *options, "--home", str(tmp_path / "second")]) == 2
    assert f"Set {VARIABLE}={address}, or to another place for it." in capsys.readouterr().err


def test_drop_removes_the_runs_files_in_the_store(
    shared: StoredRun, adastar: Adastar, adastar_json: Json
) -> None:
    store_of(shared).write("runs/lost-01234567/report/report.md", b"of another database")
    store_of(shared).write(f"{shared.store_key}/checkpoints/iteration-0002-0000/config.json", b"{}")
    orphans = {one["run"]: one["path"] for one in adastar_json("gc", "--delete")["orphans"]}
    address = store_of(shared).address
    assert orphans == {
        None: f"{address}/runs/lost-01234567",
        "mine": f"{address}/{shared.store_key}/checkpoints/iteration-0002-0000",
    }
    dry = adastar_json("drop", "mine")
    assert dry["in_store"] == f"{address}/{shared.store_key}"
    assert dry["store_bytes"] == sum(store_of(shared).sizes(shared.store_key).values()) > 0
    status, out, _ = adastar("drop", "mine", "--delete")
    assert status == 0
    assert dry["in_store"] in out
    assert set(store_of(shared).sizes("runs")) == {"lost-01234567/report/report.md"}


def test_a_report_and_exports_go_there_and_a_published_checkpoint_comes_from_there(
    shared: StoredRun, adastar: Adastar, adastar_json: Json, run_home: Path, tmp_path: Path
) -> None:
    assert adastar("report", "mine")[0] == 0
    written = {path.name: path.stat().st_size for path in (shared.folder / "report").iterdir()}
    assert store_of(shared).sizes(f"{shared.store_key}/report") == written

    url = store_of(shared).address + "/exports"
    if "://" in url:
        count = adastar_json("export", "mine", "--to", "parquet", "--output", f"{url}/mine.parquet")[
            "examples"
        ]
        files = fsspec.filesystem("s3", use_listings_cache=False)
        with files.open(f"{url}/mine.parquet", "rb") as table:
            assert pq.read_metadata(table).num_rows == count > 0
        assert adastar("export", "mine", "--to", "hub-dataset", "--output", f"{url}/data")[0] == 0
        assert {"README.md", "data/train-00000-of-00001.parquet"} == set(
            store_of(shared).sizes("exports/data")
        )
        status, _, complaint = adastar("export", "mine", "--to", "jsonl", "--output", f"{url}/mine.parquet")
        assert (status, "exists already" in complaint) == (2, True)
        status, _, complaint = adastar("export", "mine", "--to", "jsonl", "--output", "s3://mine.jsonl")
        assert (status, "names no file in a bucket" in complaint) == (2, True)

    shutil.rmtree(run_home / "runs")
    assert adastar("publish", "mine", "--iteration", "3", "--to", str(tmp_path / "out"))[0] == 0
    row = shared.checkpoint(3)
    assert verify(Path(row.path), row.sha256).sha256 == row.sha256


def test_the_doctor_tells_of_the_store(
    adastar_json: Json, adastar: Adastar, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def found() -> dict[str, str]:
        return next(one for one in adastar_json("doctor")["findings"] if one["what"] == "file store")

    monkeypatch.delenv(VARIABLE, raising=False)
    assert VARIABLE in found()["found"]
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    assert found()["state"] == "ok"
    assert found()["found"].startswith(f"{tmp_path / 'store'}: answers")
    assert not (tmp_path / "store").exists()
    monkeypatch.setenv(VARIABLE, "s3://me:hunter2@bucket")
    status, out, _ = adastar("doctor")
    assert (status, "MISSING file store" in out, "hunter2" in out) == (1, True, False)
