"""The file store, in a folder and in a bucket of a real S3 server: transfers, kills, and what is refused."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from sqlalchemy import make_url

from adastar_core.errors import CheckpointError, ConfigError, FileStoreError
from adastar_core.models import checkpoints, filestore
from adastar_core.models.checkpoints import MANIFEST, REMOVED, Checkpoint
from adastar_core.models.filestore import VARIABLE, file_store, store_at
from tests.support.proxy import bad_network

KEY = "runs/mine-12345678/checkpoints/iteration-0001-0123456789abcdef"
LARGE = 8_000_000


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    """A checkpoint of four files, one of them large and one in a folder."""
    new = tmp_path / "new"
    (new / "optimizer").mkdir(parents=True)
    (new / "config.json").write_text("{}")
    (new / "model.safetensors").write_bytes(os.urandom(LARGE))
    (new / "optimizer" / "state.safetensors").write_bytes(b"moments")
    (new / "tokenizer.json").write_text("[]")
    return checkpoints.publish(new, tmp_path / "here" / "iteration-0001")


def objects(address: str) -> fsspec.AbstractFileSystem:
    """Return what a second client sees of a store."""
    return fsspec.core.url_to_fs(address, use_listings_cache=False)[0]


def place(address: str, name: str) -> str:
    return f"{address.removeprefix('s3://')}/{KEY}/{name}"


def test_a_checkpoint_goes_to_the_store_and_comes_back(
    store_address: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    store, there = store_at(store_address, VARIABLE), tmp_path / "there" / "iteration-0001"
    store.check()
    assert store.sizes("runs") == {}
    store.put(checkpoint, KEY)
    assert store.holds(KEY)
    assert set(store.sizes(KEY)) == {
        str(one.relative_to(checkpoint.path)) for one in checkpoint.path.rglob("*.*")
    }
    arrived = store.get(KEY, there, checkpoint.sha256)
    assert arrived == checkpoints.verify(there, checkpoint.sha256)
    assert arrived.sha256 == checkpoint.sha256
    assert not list(there.parent.glob(".*arriving*"))

    store.remove(KEY)
    assert set(store.sizes(KEY)) == {REMOVED}
    with pytest.raises(CheckpointError, match=r"iteration-0001-.* is missing"):
        store.get(KEY, tmp_path / "elsewhere", checkpoint.sha256)
    store.put(checkpoint, KEY)  # as after a restored database
    assert store.get(KEY, tmp_path / "elsewhere", checkpoint.sha256).sha256 == checkpoint.sha256
    store.remove_all("runs")
    assert store.sizes("runs") == {}


def test_what_is_there_is_not_sent_again_and_the_manifest_comes_last(
    store_address: str, checkpoint: Checkpoint
) -> None:
    store = store_at(store_address, VARIABLE)
    store.put(checkpoint, KEY)
    files = objects(store_address)
    for lost in ("tokenizer.json", MANIFEST):
        files.rm_file(place(store_address, lost))
    changed = b"x" * (checkpoint.path / "config.json").stat().st_size
    files.pipe_file(place(store_address, "config.json"), changed)
    assert not store.holds(KEY)
    store.put(checkpoint, KEY)
    assert store.holds(KEY)
    assert (
        files.cat_file(place(store_address, "config.json")) == changed
    )  # of the right size: it was not sent


def test_a_file_that_arrives_changed_is_refused_by_name(
    store_address: str, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filestore, "PAUSES_SECONDS", (0.0,))
    store, there = store_at(store_address, VARIABLE), tmp_path / "there"
    store.put(checkpoint, KEY)
    files = objects(store_address)
    files.pipe_file(place(store_address, "tokenizer.json"), b"{}")
    with pytest.raises(
        FileStoreError, match=r"tokenizer\.json is damaged: .* remove .*0123456789abcdef and start"
    ):
        store.get(KEY, there, checkpoint.sha256)
    assert not there.exists()

    files.pipe_file(
        place(store_address, "model.safetensors"), b""
    )  # it came before, and is not fetched again
    files.pipe_file(place(store_address, "tokenizer.json"), b"[]")
    assert store.get(KEY, there, checkpoint.sha256).sha256 == checkpoint.sha256


def test_a_full_disk_is_told_from_a_store_that_fails(
    store_address: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    store, arriving = (
        store_at(store_address, VARIABLE),
        tmp_path / f".there.arriving-{checkpoint.sha256[:12]}",
    )
    store.put(checkpoint, KEY)
    arriving.mkdir()
    (arriving / "config.json").symlink_to("/dev/full")
    with pytest.raises(FileStoreError, match=r"No space left on device\). Free some space, and run the same"):
        store.get(KEY, tmp_path / "there", checkpoint.sha256)


def test_another_checkpoint_and_a_forged_manifest_are_refused(
    store_address: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    store, there = store_at(store_address, VARIABLE), tmp_path / "there"
    store.put(checkpoint, KEY)
    with pytest.raises(CheckpointError, match="is not the recorded one"):
        store.get(KEY, there, "0" * 64)
    outside = [checkpoints.ManifestFile("../outside", 1, "0" * 64)]
    digest = checkpoints.digest_over(outside)
    manifest = (
        f'{{"sha256": "{digest}", "files": [{{"name": "../outside", "bytes": 1, "sha256": "{"0" * 64}"}}]}}'
    )
    objects(store_address).pipe_file(place(store_address, MANIFEST), manifest.encode())
    with pytest.raises(CheckpointError, match="contradicts its own digest"):
        store.get(KEY, there, digest)
    assert not there.exists()


CHILD = """
import sys
from pathlib import Path
from adastar_core.models.checkpoints import open_checkpoint
from adastar_core.models.filestore import store_at

verb, address, key, folder, sha256 = sys.argv[1:]
store = store_at(address, "ADASTAR_STORE")
if verb == "put":
    store.put(open_checkpoint(Path(folder)), key)
else:
    store.get(key, Path(folder), sha256)
"""


@pytest.fixture
def transfer(
    s3: dict[str, str], bucket: str, checkpoint: Checkpoint
) -> Callable[[str, Path, int | None], int]:
    """Send or fetch the checkpoint in a process that is killed after so many bytes; return its exit status."""

    def run(verb: str, folder: Path, most_bytes: int | None = None) -> int:
        command = [sys.executable, "-c", CHILD, verb, bucket, KEY, str(folder), checkpoint.sha256]
        with bad_network(make_url(s3["AWS_ENDPOINT_URL"]), 0.004) as network:
            endpoint = f"http://127.0.0.1:{network.url.port}"
            with subprocess.Popen(command, env={**os.environ, "AWS_ENDPOINT_URL": endpoint}) as child:
                while child.poll() is None and most_bytes is not None:
                    if network.forwarded_bytes > most_bytes:
                        child.kill()
                        break
                    time.sleep(0.005)
            return child.returncode

    return run


def test_killed_in_the_middle_of_an_upload_and_of_a_download(
    transfer: Callable[..., int], bucket: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    store, there = store_at(bucket, VARIABLE), tmp_path / "there" / "iteration-0001"
    assert transfer("put", checkpoint.path, LARGE // 2) == -9
    assert not store.holds(KEY)
    assert "config.json" in store.sizes(KEY)
    assert "model.safetensors" not in store.sizes(KEY)
    assert transfer("put", checkpoint.path) == 0
    assert store.holds(KEY)

    assert transfer("get", there, LARGE // 2) == -9
    assert not there.exists()
    (arriving,) = there.parent.glob(".iteration-0001.arriving-*")
    assert (arriving / "config.json").is_file()
    assert transfer("get", there) == 0
    assert checkpoints.verify(there, checkpoint.sha256).sha256 == checkpoint.sha256
    assert not arriving.exists()


def test_a_connection_that_is_cut_is_made_again(
    s3: dict[str, str], bucket: str, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bad_network(make_url(s3["AWS_ENDPOINT_URL"]), 0.001) as network:
        endpoint = {"endpoint_url": f"http://127.0.0.1:{network.url.port}"}
        files = fsspec.filesystem("s3", use_listings_cache=False, client_kwargs=endpoint)
        store = filestore.FileStore(bucket, files, bucket.removeprefix("s3://"))
        sent = 0

        def cut_once() -> None:
            nonlocal sent
            sent += 1
            if sent == 2:
                network.cut()

        store.put(checkpoint, KEY, cut_once)
        assert store.get(KEY, tmp_path / "there", checkpoint.sha256).sha256 == checkpoint.sha256
        assert network.cuts == 1


def test_an_upload_that_is_suddenly_unknown_is_done_or_made_again(
    bucket: str, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that was slow to put the parts together: the client asked again, and the upload was no longer known."""
    store = store_at(bucket, VARIABLE)
    put, sent = store._files.put_file, list[str]()

    def answer_is_lost(file: str, place: str, **options: object) -> None:
        put(file, place, **options)
        sent.append(place)
        raise FileNotFoundError("The specified upload does not exist")

    monkeypatch.setattr(store._files, "put_file", answer_is_lost)
    store.put(checkpoint, KEY)
    assert store.holds(KEY)
    assert len(sent) == len(set(sent)) == len(store.sizes(KEY))

    monkeypatch.setattr(filestore, "PAUSES_SECONDS", (0.0,))
    store.remove_all(KEY)
    lost = iter([FileNotFoundError("The specified upload does not exist")])

    def upload_is_lost(file: str, place: str, **options: object) -> None:
        for error in lost:
            raise error
        put(file, place, **options)

    monkeypatch.setattr(store._files, "put_file", upload_is_lost)
    store.put(checkpoint, KEY)
    assert store.holds(KEY)


def test_what_a_transfer_calls_may_end_it(bucket: str, checkpoint: Checkpoint) -> None:
    def lost() -> None:
        raise CheckpointError("the run is another's now")

    store = store_at(bucket, VARIABLE)
    with pytest.raises(CheckpointError, match="another's"):
        store.put(checkpoint, KEY, lost)
    assert not store.holds(KEY)


def test_a_store_that_does_not_answer_or_is_not_there(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileStoreError, match=r"s3://nobodys does not write"):
        store_at("s3://nobodys", VARIABLE).check()
    (tmp_path / "file").touch()
    monkeypatch.setattr(filestore, "PAUSES_SECONDS", ())
    with pytest.raises(FileStoreError, match=r"file/folder does not write"):
        store_at(str(tmp_path / "file" / "folder"), VARIABLE).check()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://KEY:HUNTER2@bucket", "password or a query"),
        ("s3://KEY:HUN/TER2@bucket/folder", "password or a query"),
        ("az://container/folder?sig=HUNTER2", "password or a query"),
        ("nowhere://x", r"cannot be used: Protocol not known.*s3://BUCKET"),
        ("gs://bucket", r"cannot be used.*pip install gcsfs"),
        ("s3://", r"names no bucket\. Write s3://BUCKET/FOLDER"),
        ("s3:/bucket/folder", r"would be another folder .*s3://BUCKET"),
        ("store", "would be another folder in every working directory"),
    ],
)
def test_addresses_that_are_refused(address: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, address)
    with pytest.raises(ConfigError, match=message) as raised:
        file_store()
    assert "TER2" not in str(raised.value)


def test_without_the_variable_there_is_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert file_store() is None
