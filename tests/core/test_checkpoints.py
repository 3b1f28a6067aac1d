import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adastar_core.errors import CheckpointError, LostLease
from adastar_core.models import checkpoints


def _files(directory: Path, weights: bytes = b"weights") -> Path:
    (directory / "extra").mkdir(parents=True)
    (directory / "model.safetensors").write_bytes(weights)
    (directory / "config.json").write_text("{}")
    (directory / "extra" / "chat_template.jinja").write_text("{{ messages }}")
    return directory


def test_publish_renames_and_writes_a_manifest_of_every_file(tmp_path: Path) -> None:
    published = checkpoints.publish(_files(tmp_path / "new"), tmp_path / "runs" / "1")
    manifest = json.loads((tmp_path / "runs" / "1" / "manifest.json").read_text())
    assert [entry["name"] for entry in manifest["files"]] == [
        "config.json",
        "extra/chat_template.jinja",
        "model.safetensors",
    ]
    assert manifest["sha256"] == published.sha256
    assert published.size_bytes == 7 + 2 + 14
    assert not (tmp_path / "new").exists()
    assert checkpoints.verify(published.path, published.sha256) == published
    assert checkpoints.open_checkpoint(published.path) == published


def test_publishing_again_returns_the_existing_checkpoint(tmp_path: Path) -> None:
    first = checkpoints.publish(_files(tmp_path / "new"), tmp_path / "1")
    assert checkpoints.publish(tmp_path / "new", tmp_path / "1") == first
    assert checkpoints.publish(_files(tmp_path / "new"), tmp_path / "1") == first
    assert not (tmp_path / "new").exists()


def test_publishing_other_files_over_a_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoints.publish(_files(tmp_path / "new"), tmp_path / "1")
    with pytest.raises(CheckpointError, match=r"1 already exists with other files"):
        checkpoints.publish(_files(tmp_path / "new", b"others!"), tmp_path / "1")
    assert (tmp_path / "1" / "model.safetensors").read_bytes() == b"weights"


def test_nothing_is_published_where_the_fence_is_closed(tmp_path: Path) -> None:
    @contextmanager
    def closed() -> Iterator[None]:
        raise LostLease("replaced")
        yield

    first = checkpoints.publish(_files(tmp_path / "new"), tmp_path / "1")
    with pytest.raises(LostLease):
        checkpoints.publish_beside(_files(tmp_path / "new", b"others!"), tmp_path / "1", closed)
    assert checkpoints.verify(tmp_path / "1", first.sha256) == first
    with pytest.raises(LostLease):
        checkpoints.publish(tmp_path / "new", tmp_path / "2", closed)
    assert not (tmp_path / "2").exists()


def test_a_half_written_directory_is_replaced(tmp_path: Path) -> None:
    _files(tmp_path / "1", b"half")
    assert not checkpoints.is_complete(tmp_path / "1")
    published = checkpoints.publish(_files(tmp_path / "new"), tmp_path / "1")
    assert (published.path / "model.safetensors").read_bytes() == b"weights"


def test_publishing_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing to publish"):
        checkpoints.publish(tmp_path / "new", tmp_path / "1")


def test_a_rename_lost_to_another_process_ends_with_the_same_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def beaten(self: Path, target: Path) -> Path:
        shutil.copytree(self, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", beaten)
    published = checkpoints.publish(_files(tmp_path / "new"), tmp_path / "1")
    assert checkpoints.verify(tmp_path / "1", published.sha256) == published


def test_the_digest_is_the_same_wherever_the_files_lie(tmp_path: Path) -> None:
    here, there = _files(tmp_path / "here"), _files(tmp_path / "far" / "there")
    (there / ".cache").mkdir()
    (there / ".cache" / "download.lock").write_text("")
    assert checkpoints.digest_of(here) == checkpoints.digest_of(there)
    assert checkpoints.publish(there, tmp_path / "1").sha256 == checkpoints.digest_of(here)


@pytest.mark.parametrize("change", ["content", "name", "an empty file more"])
def test_any_change_changes_the_digest(tmp_path: Path, change: str) -> None:
    before = checkpoints.digest_of(_files(tmp_path))
    match change:
        case "content":
            (tmp_path / "config.json").write_text("[]")
        case "name":
            (tmp_path / "config.json").rename(tmp_path / "confih.json")
        case _:
            (tmp_path / "empty").write_text("")
    assert checkpoints.digest_of(tmp_path) != before


def test_links_count_as_the_files_they_point_to(tmp_path: Path) -> None:
    blobs, snapshot = _files(tmp_path / "blobs"), tmp_path / "snapshot"
    (snapshot / "extra").mkdir(parents=True)
    for name in ("model.safetensors", "config.json", "extra/chat_template.jinja"):
        (snapshot / name).symlink_to(blobs / name)
    assert checkpoints.digest_of(snapshot) == checkpoints.digest_of(blobs)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "config.json").unlink(), r"config\.json is missing"),
        (lambda path: (path / "model.safetensors").write_bytes(b"WEIGHTS"), r"model\.safetensors is changed"),
        (
            lambda path: (path / "adapter.bin").write_bytes(b"x"),
            r"adapter\.bin, which is not one of its files",
        ),
        (lambda path: (path / "manifest.json").write_text("{}"), r"manifest\.json cannot be read"),
        (shutil.rmtree, r"is missing"),
    ],
)
def test_verify_names_what_is_wrong(tmp_path: Path, damage, message: str) -> None:  # noqa: ANN001
    published = checkpoints.publish(_files(tmp_path / "new"), tmp_path / "1")
    damage(published.path)
    with pytest.raises(CheckpointError, match=message):
        checkpoints.verify(published.path, published.sha256)


def test_verify_refuses_another_complete_checkpoint_and_a_forged_manifest(tmp_path: Path) -> None:
    first = checkpoints.publish(_files(tmp_path / "new"), tmp_path / "1")
    second = checkpoints.publish(_files(tmp_path / "new", b"others!"), tmp_path / "2")
    with pytest.raises(CheckpointError, match="not the recorded one"):
        checkpoints.verify(second.path, first.sha256)
    manifest = second.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace(second.sha256, first.sha256))
    with pytest.raises(CheckpointError, match="contradicts its own digest"):
        checkpoints.verify(second.path, first.sha256)


def test_a_base_model_without_a_manifest_is_verified_by_its_digest(tmp_path: Path) -> None:
    digest = checkpoints.digest_of(_files(tmp_path / "base"))
    assert checkpoints.verify(tmp_path / "base", digest).sha256 == digest
    (tmp_path / "base" / "config.json").write_text("[]")
    with pytest.raises(CheckpointError, match="not the recorded one"):
        checkpoints.verify(tmp_path / "base", digest)


def test_an_existing_directory_is_kept_next_to_the_new_checkpoint(tmp_path: Path) -> None:
    """Other files, or the same ones damaged; only the very same checkpoint is taken for the published one."""
    first = checkpoints.publish_beside(_files(tmp_path / "new"), tmp_path / "1")
    assert checkpoints.publish_beside(_files(tmp_path / "new"), tmp_path / "1") == first
    other = checkpoints.publish_beside(_files(tmp_path / "new", b"others!"), tmp_path / "1")
    assert other.path == tmp_path / f"1-{other.sha256[:12]}"
    assert checkpoints.publish_beside(_files(tmp_path / "new", b"others!"), tmp_path / "1") == other
    assert [checkpoints.holds(one.path, one.sha256) for one in (first, other)] == [True, True]

    (first.path / "model.safetensors").write_bytes(b"damaged")
    again = checkpoints.publish_beside(_files(tmp_path / "new"), tmp_path / "1")
    assert again.sha256 == first.sha256
    assert checkpoints.holds(again.path, again.sha256)
    assert (first.path / "model.safetensors").read_bytes() == b"damaged"
