"""The file store: a folder or a bucket that keeps checkpoints and reports for all machines. The data directory is its cache.

``ADASTAR_STORE`` names it: a path, or a URL that fsspec knows (``s3://BUCKET/FOLDER``, ``gs://…``, ``az://…``). Without it files
are in the data directory alone. It belongs to the machine, not to a run, so no configuration and no form can choose it. What the
client libraries need to log in they read from the environment and from their own files.

A checkpoint is complete once its manifest is there, which is written last and never before the other files. Its key holds its
digest, so no checkpoint replaces another. Whole files are the unit: what is there already is not sent or fetched again.
"""

import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import fsspec
from fsspec.callbacks import Callback
from fsspec.core import url_to_fs

from adastar_core.errors import AdaStarError, CheckpointError, ConfigError, FileStoreError
from adastar_core.machine.paths import path_of
from adastar_core.machine.waiting import file_lock
from adastar_core.models.checkpoints import (
    MANIFEST,
    REMOVED,
    Checkpoint,
    ManifestFile,
    digest_over,
    files_named,
    has_content,
    is_complete,
    open_checkpoint,
    publish,
)

VARIABLE = "ADASTAR_STORE"
PAUSES_SECONDS = (0.2, 1.0, 5.0, 15.0)
"""How long to wait before each further try."""
_EXTRAS = {"s3": "pip install 'adastar[s3]'", "gs": "pip install gcsfs", "az": "pip install adlfs"}
_WITH_PASSWORD = re.compile(r"://.*:.*@")
_NOT_TRIED_AGAIN = (PermissionError, FileNotFoundError)
_CHECK = f"Check {VARIABLE}, the credentials and the network"
_FULL = (errno.ENOSPC, errno.EDQUOT)

T = TypeVar("T")
Sign = Callable[[], object]
"""Called now and then during a transfer; what it raises ends the transfer."""


def by_folder(sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return what :meth:`FileStore.sizes` found by the first folder of its path; files beside the folders are left out."""
    found: dict[str, dict[str, int]] = {}
    for name, size in sizes.items():
        folder, inside, rest = name.partition("/")
        if inside:
            found.setdefault(folder, {})[rest] = size
    return found


def file_store() -> "FileStore | None":
    """Return the store that ``ADASTAR_STORE`` names; ``None`` where it is not set.

    Raises:
        ConfigError: It names none, or has a secret in it.
    """
    named = os.environ.get(VARIABLE)
    return store_at(named, VARIABLE) if named else None


def store_at(address: str, key: str) -> "FileStore":
    """Return the store at a path or URL. Nothing is asked of it yet; messages name the ``key``.

    Raises:
        ConfigError: As in :func:`file_store`.
    """
    if "?" in address or _WITH_PASSWORD.search(address):
        raise ConfigError(
            f"{key} has a password or a query in it, and addresses are stored and shown. Give the address alone, and the "
            "credentials as the client library reads them (for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)."
        )
    protocol, separator, _ = address.partition("://")
    if not separator or protocol == "file":
        folder = path_of(address.removeprefix("file://"), key)
        if not folder.is_absolute():  # also s3:/BUCKET
            raise ConfigError(
                f"{key} = {address!r} would be another folder in every working directory. Write a path from the root, or "
                "s3://BUCKET/FOLDER, gs://… or az://…."
            )
        files = fsspec.filesystem("file", auto_mkdir=True, use_listings_cache=False)
        return FileStore(str(folder), files, str(folder))
    try:
        files, root = url_to_fs(address, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        advice = _EXTRAS.get(protocol, "write a path, or s3://BUCKET/FOLDER, gs://… or az://…")
        raise ConfigError(f"{key} = {address!r} cannot be used: {error}. Fix: {advice}.") from error
    if not root.strip("/"):
        raise ConfigError(f"{key} = {address!r} names no bucket. Write {protocol}://BUCKET/FOLDER.")
    return FileStore(address.rstrip("/"), files, root.rstrip("/"))


@dataclass(frozen=True)
class FileStore:
    """An open store. Keys are paths relative to its address."""

    address: str
    _files: Any
    _root: str
    pauses: tuple[float, ...] | None = None
    """How long to wait before each further try; ``None``: ``PAUSES_SECONDS``."""

    def check(self) -> None:
        """Write a file and remove it. Somebody waits for this, so it is tried but twice.

        Raises:
            FileStoreError: That fails.
        """
        soon = replace(self, pauses=PAUSES_SECONDS[:1])
        name = f".write-test-{secrets.token_hex(8)}"  # several machines may start at once
        soon.write(name, os.urandom(16))
        soon._tried("remove", name, self._files.rm_file)

    def sizes(self, key: str) -> dict[str, int]:
        """Return the size of every file below a key, by its path from there."""
        found: Mapping[str, Mapping[str, Any]] = self._tried(
            "list", key, lambda place: self._files.find(place, detail=True)
        )
        return {name.removeprefix(f"{self._root}/{key}/"): int(info["size"]) for name, info in found.items()}

    def folders(self, key: str) -> list[str]:
        """Return the names of the folders below a key; what is in them is not looked at."""

        def names(place: str) -> list[str]:
            try:
                found: list[str] = self._files.ls(place, detail=False)
            except FileNotFoundError:
                return []
            return found

        return sorted(name.rstrip("/").rpartition("/")[2] for name in self._tried("list", key, names))

    def holds(self, key: str) -> bool:
        """Return whether a complete checkpoint is there; its files are not read."""
        return MANIFEST in self.sizes(key)

    def put(self, checkpoint: Checkpoint, key: str, sign: Sign = lambda: None) -> None:
        """Upload what is missing of a checkpoint, its manifest last.

        Raises:
            FileStoreError: The store fails, also when asked again.
        """
        there, manifest = self.sizes(key), checkpoint.path / MANIFEST
        if there.get(MANIFEST) == manifest.stat().st_size:
            return
        for file in files_named(manifest.read_bytes(), manifest):
            if there.get(file.name) != file.size_bytes:
                self.upload(checkpoint.path / file.name, f"{key}/{file.name}", sign)
        self.upload(manifest, f"{key}/{MANIFEST}", sign)

    def get(self, key: str, final: Path, sha256: str, sign: Sign = lambda: None) -> Checkpoint:
        """Make ``final`` the checkpoint of this digest; every file's digest is checked when it arrives.

        A fetch that was killed is resumed. Of several processes on this machine one fetches, and the others wait.

        Raises:
            CheckpointError: The store lacks it, or holds another one.
            FileStoreError: The store fails, or a file arrives changed, also when asked again.
        """
        files = self.manifest(key, sha256)
        final.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(final.with_name(f".{final.name}.lock"), f"checkpoint {final.name} to be fetched"):
            if is_complete(final):
                return open_checkpoint(final)
            arriving = final.with_name(f".{final.name}.arriving-{sha256[:12]}")
            for file in files:
                self._fetch(f"{key}/{file.name}", file, arriving / file.name, sign)
            return publish(arriving, final)

    def manifest(self, key: str, sha256: str) -> list[ManifestFile]:
        """Return the files that the manifest of a checkpoint with this digest names.

        Raises:
            CheckpointError: It is missing, unreadable, or another checkpoint's.
        """
        where = f"{self.address}/{key}"
        if not self.holds(key):
            raise CheckpointError(f"checkpoint {where} is missing; restore it, or start a new run")
        content: bytes = self._tried("read", f"{key}/{MANIFEST}", self._files.cat_file)
        files = files_named(content, where)
        if digest_over(files) != sha256:
            raise CheckpointError(f"checkpoint {where} is not the recorded one ({sha256}); restore it")
        return files

    def verify(self, key: str, sha256: str, *, contents: bool) -> None:
        """Compare a checkpoint's files with its manifest: their sizes, and what is in them where ``contents`` asks for that.

        Raises:
            CheckpointError: It lacks a file, or one is not what it was.
        """
        there = self.sizes(key)
        for file in self.manifest(key, sha256):
            place = f"{key}/{file.name}"
            sound = there.get(file.name) == file.size_bytes
            if not sound or (contents and self._tried("read", place, self._digest) != file.sha256):
                state = "changed" if file.name in there else "missing"
                raise CheckpointError(f"checkpoint file {self.address}/{place} is {state}; restore it")

    def remove(self, key: str) -> None:
        """Remove a checkpoint's files, and leave a marker that this was on purpose."""
        self.write(f"{key}/{REMOVED}", b"{}\n")
        names = sorted(self.sizes(key), key=lambda name: name != MANIFEST)
        for name in names:  # the manifest first: without it nobody takes the rest for a checkpoint
            if name != REMOVED:
                self._tried("remove", f"{key}/{name}", self._files.rm_file)

    def remove_all(self, key: str) -> None:
        """Remove everything below a key."""
        if self.sizes(key):
            self._tried("remove", key, lambda place: self._files.rm(place, recursive=True))

    def upload(self, file: Path, key: str, sign: Sign = lambda: None) -> None:
        """Upload one file, over an earlier one."""
        signs = Callback(hooks={"sign": lambda *_, **__: sign()})

        def send(place: str) -> None:
            try:
                self._files.put_file(str(file), place, callback=signs)
            except FileNotFoundError as error:
                # Where the answer to the last request was lost, S3's client repeats it, and the upload is over and unknown.
                there = self._files.find(place, detail=True).get(place, {"size": None})
                if there["size"] != file.stat().st_size:
                    raise OSError(str(error)) from error

        self._tried("write", key, send)

    def write(self, key: str, content: bytes) -> None:
        """Write a small file."""
        self._tried("write", key, lambda place: self._files.pipe_file(place, content))

    def _fetch(self, key: str, file: ManifestFile, target: Path, sign: Sign) -> None:
        if target.is_file() and has_content(target, file.sha256):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        signs = Callback(hooks={"sign": lambda *_, **__: sign()})

        wrong: list[str] = []

        def arrive(place: str) -> None:
            self._files.get_file(place, str(target), callback=signs)
            if has_content(target, file.sha256):
                return
            target.unlink()
            wrong.append(place)
            if len(wrong) < 2:
                raise OSError("it arrived with another digest than the manifest states")
            raise FileStoreError(
                f"{self.address}/{key} is damaged: it arrived twice with another digest than its manifest states. Restore it, or "
                f"remove {self.address}/{key.removesuffix(f'/{file.name}')} and start the run on the machine that trained this "
                "checkpoint, which uploads it again."
            )

        self._tried("read", key, arrive)

    def _digest(self, place: str) -> str:
        with self._files.open(place, "rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()

    def _tried(self, verb: str, key: str, action: Callable[[str], T]) -> T:
        """Return what ``action`` makes of a key's full path, tried again where it fails."""
        pauses = iter(PAUSES_SECONDS if self.pauses is None else self.pauses)
        while True:
            try:
                return action(f"{self._root}/{key}")
            except AdaStarError:
                raise
            except Exception as error:
                pause = next(pauses, None)
                is_full = isinstance(error, OSError) and error.errno in _FULL
                if pause is None or is_full or isinstance(error, _NOT_TRIED_AGAIN):
                    advice = "Free some space" if is_full else _CHECK
                    said = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
                    raise FileStoreError(
                        f"The file store {self.address} does not {verb} {key} ({said}). {advice}, and run the same command "
                        "again; what was transferred is kept."
                    ) from error
            time.sleep(pause)
