"""Shared by the benchmarks of whole runs: the main job in a process and a data directory of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from adastar_core.postgres.server import stop_local_postgres
from adastar_core.store.database import open_database

FLOW = Path(__file__).parent.parent / "flows" / "adastar.py"


@contextmanager
def main_job(preset: str = "quickstart", **settings: object) -> Iterator[Engine]:
    """Run the main job as a user does, with a new data directory and new Prefect files; yield its database."""
    home = Path(tempfile.mkdtemp(prefix="adastar-bench-"))
    home.chmod(0o711)
    (home / "prefect").mkdir()
    keys = {"home": home, **settings}
    overrides = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    environment = {**os.environ, "PREFECT_HOME": str(home / "prefect")}
    environment.pop("ADASTAR_DATABASE_URL", None)
    try:
        subprocess.run([sys.executable, FLOW, "--preset", preset, *overrides], env=environment, check=True)
        database = open_database(None, home)
        yield database
        database.dispose()
    finally:
        stop_local_postgres(home)
        shutil.rmtree(home)
