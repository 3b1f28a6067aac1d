"""The data directory, with checkpoints, reports and the local database."""

import os
import shutil
import tempfile
from pathlib import Path

import platformdirs

from adastar_core.errors import HomeError
from adastar_core.machine.paths import path_of

KEPT = (
    "runs",
    "comparisons",
    "models",
    "postgres",
    "postgres-programs",
    "postgres.lock",
    "postgres.password",
)
"""The names that the program uses in a data directory."""
_ROOT_HOME = Path("/var/lib/adastar")
_LEAST_FREE_BYTES = 256 * 2**20


def default_home() -> Path:
    """Return the default data directory.

    ``ADASTAR_HOME`` when it is set; else the user's data directory. For root it is a system directory:
    the local Postgres refuses to run as root, and root's own home is closed to every other user.
    """
    if named := os.environ.get("ADASTAR_HOME"):
        return path_of(named, "ADASTAR_HOME").absolute()
    if os.geteuid() == 0:
        return _ROOT_HOME
    return platformdirs.user_data_path("adastar")


def usable_home(path: Path | None = None) -> Path:
    """Return the data directory (default: :func:`default_home`) after creating it and writing a file to it.

    Raises:
        ConfigError: It is no path.
        HomeError: It cannot be created, is read-only, or is full.
    """
    home = path_of(path or default_home(), "home").absolute()
    try:
        if not home.is_dir():
            home.mkdir(parents=True, exist_ok=True)
            # Root's is passable to others: the database server in it runs as another user.
            home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        # Random and synced, so that neither compression nor a cache hides a full disk.
        with tempfile.TemporaryFile(dir=home, prefix=".write-test-") as file:
            file.write(os.urandom(2**16))
            file.flush()
            os.fsync(file.fileno())
        free_bytes = shutil.disk_usage(home).free
    except OSError as error:
        raise HomeError(
            f"The data directory {home} cannot be used: {error.strerror or error}. Make it a writable directory "
            "with free space, or name another one with --set home=DIRECTORY or ADASTAR_HOME."
        ) from error
    if free_bytes < _LEAST_FREE_BYTES:
        raise HomeError(
            f"The data directory {home} is nearly full: {free_bytes // 2**20} MiB are free and at least "
            f"{_LEAST_FREE_BYTES // 2**20} MiB are needed. Free some space, or name another directory with "
            "--set home=DIRECTORY or ADASTAR_HOME."
        )
    return home
