"""A checkpoint: a directory of files and a manifest that is written last and names every one of them.

A checkpoint's identity is one digest over the names, sizes and contents of its files, so it is the same
wherever the directory is. A directory appears under its final name complete or not at all.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import CheckpointError

Fence = Callable[[], AbstractContextManager[object]]
MANIFEST = "manifest.json"
REMOVED = "removed.json"
"""In the place of all files it says that a checkpoint was removed on purpose."""
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint directory: its digest (:func:`digest_of`) and size do not count the manifest."""

    path: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file as a manifest names it: its path inside the directory, its size, and the SHA-256 of its content."""

    name: str
    size_bytes: int
    sha256: str


def publish(temporary: Path, final: Path, fence: Fence = nullcontext) -> Checkpoint:
    """Make ``temporary`` the checkpoint ``final``: manifest, fsync, rename. A second call changes nothing.

    Args:
        temporary: A directory with the checkpoint's files, on the file system of ``final``; it is consumed.
        final: The checkpoint's directory. One without a manifest is a leftover and is replaced.
        fence: Entered for the rename: it excludes every other process, and raises if this one has lost the right to write.

    Raises:
        CheckpointError: ``final`` is already a checkpoint with other files, or ``temporary`` is missing.
    """
    if not temporary.is_dir():
        if not is_complete(final):
            raise CheckpointError(f"there is nothing to publish: neither {temporary} nor {final} exists")
        return open_checkpoint(final)
    files = _list_files(temporary)
    final.parent.mkdir(parents=True, exist_ok=True)
    if not is_complete(final):
        entries = [{"name": file.name, "bytes": file.size_bytes, "sha256": file.sha256} for file in files]
        manifest = {"format": _FORMAT, "sha256": digest_over(files), "files": entries}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        # The files must be on disk before the name is: a power cut may not leave a complete-looking directory.
        for path in (*temporary.rglob("*"), temporary):
            _sync(path)
    with fence():
        published = _rename(temporary, final, files)
    _sync(final.parent)
    return published


def publish_beside(temporary: Path, final: Path, fence: Fence = nullcontext) -> Checkpoint:
    """Publish ``temporary`` as ``final``, or as ``final``, a dash and its digest if another checkpoint has that name.

    The other checkpoint is never touched: after a restore, or with two copies of one database, somebody still needs it.
    """
    if is_complete(final):
        sha256 = digest_of(temporary)
        if not holds(final, sha256):
            return publish(temporary, final.with_name(f"{final.name}-{sha256[:12]}"), fence)
    return publish(temporary, final, fence)


def holds(path: Path, sha256: str) -> bool:
    """Return whether ``path`` is the checkpoint of this digest, every file unchanged."""
    try:
        return verify(path, sha256).sha256 == sha256
    except CheckpointError:
        return False


def has_content(file: Path, sha256: str) -> bool:
    """Return whether a file's content has this digest."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == sha256


def is_complete(path: Path) -> bool:
    """Return whether ``path`` is a published checkpoint; its files are not read."""
    return (path / MANIFEST).is_file()


def open_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint at ``path`` as its manifest states it; the files are not read.

    Raises:
        CheckpointError: There is no readable manifest.
    """
    return _checkpoint(path, _read_manifest(path))


def verify(path: Path, sha256: str) -> Checkpoint:
    """Read every file of a checkpoint, or of a base model without manifest, and require the recorded digest.

    Raises:
        CheckpointError: Names the file that is missing, changed or not the checkpoint's.
    """
    if not path.is_dir():
        raise CheckpointError(f"checkpoint {path} is missing; restore it, or start a new run")
    found = _list_files(path)
    if is_complete(path):
        present = {file.name: file for file in found}
        for file in _read_manifest(path):
            if present.pop(file.name, None) != file:
                state = "changed" if (path / file.name).exists() else "missing"
                raise CheckpointError(
                    f"checkpoint file {path / file.name} is {state}; restore it, or start a new run"
                )
        for name in present:
            raise CheckpointError(f"checkpoint {path} holds {name}, which is not one of its files; remove it")
    if digest_over(found) != sha256:
        raise CheckpointError(
            f"checkpoint {path} is not the recorded one: its digest is {digest_over(found)[:12]}, "
            f"the recorded one {sha256[:12]}; restore the directory, or start a new run"
        )
    return _checkpoint(path, found)


def digest_of(model: Path) -> str:
    """Return the digest over all files of a model directory: 64 hexadecimal digits.

    Hidden files and a manifest are not counted; links are followed.
    """
    return digest_over(_list_files(model))


def _list_files(directory: Path) -> list[ManifestFile]:
    names = [path.relative_to(directory) for path in directory.rglob("*") if path.is_file()]
    files = []
    for name in sorted(names, key=Path.as_posix):
        if name == Path(MANIFEST) or any(part.startswith(".") for part in name.parts):
            continue
        with (directory / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            files.append(ManifestFile(name.as_posix(), os.fstat(file.fileno()).st_size, digest))
    return files


def digest_over(files: list[ManifestFile]) -> str:
    """Return the digest of a checkpoint with these files."""
    lines = [json.dumps([file.name, file.size_bytes, file.sha256]) for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _checkpoint(path: Path, files: list[ManifestFile]) -> Checkpoint:
    return Checkpoint(path, digest_over(files), sum(file.size_bytes for file in files))


def _rename(temporary: Path, final: Path, files: list[ManifestFile]) -> Checkpoint:
    """Give the directory its final name, unless the same checkpoint has it already."""
    if is_complete(final):
        return _discard_duplicate(temporary, final, digest_over(files))
    _remove(final)
    try:
        temporary.rename(final)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return _discard_duplicate(temporary, final, digest_over(files))
    return _checkpoint(final, files)


def _discard_duplicate(temporary: Path, final: Path, sha256: str) -> Checkpoint:
    existing = open_checkpoint(final)
    if existing.sha256 != sha256:
        raise CheckpointError(
            f"checkpoint {final} already exists with other files (digest {existing.sha256[:12]}, "
            f"new {sha256[:12]}); remove it if it is not needed"
        )
    _remove(temporary)
    return existing


def _read_manifest(directory: Path) -> list[ManifestFile]:
    path = directory / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    return files_named(content, path)


def files_named(manifest: bytes, where: Path | str) -> list[ManifestFile]:
    """Return the files that a manifest names; errors say ``where`` it was read.

    Raises:
        CheckpointError: It is no manifest, contradicts itself, or names a file outside its directory.
    """
    try:
        values = json.loads(manifest)
        entries = values["files"]
        files = [ManifestFile(str(one["name"]), int(one["bytes"]), str(one["sha256"])) for one in entries]
        recorded = str(values["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise _unreadable(where, error) from error
    outside = any(".." in Path(file.name).parts or Path(file.name).is_absolute() for file in files)
    if outside or digest_over(files) != recorded:
        raise CheckpointError(f"checkpoint manifest {where} contradicts its own digest; restore it")
    return files


def _unreadable(where: Path | str, error: Exception) -> CheckpointError:
    return CheckpointError(f"checkpoint manifest {where} cannot be read ({error!r}); restore it")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
