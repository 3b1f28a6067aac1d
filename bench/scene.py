"""Shared by the benchmarks of the store: a local server, a run, and iterations ready to advance."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from adastar_core.config import RunConfig
from adastar_core.postgres.server import stop_local_postgres
from adastar_core.records import Data, Observation, Split
from adastar_core.store.checkpoints import CheckpointRow, write_checkpoint
from adastar_core.store.database import open_database
from adastar_core.store.iterations import start_iteration
from adastar_core.store.lease import Lease, own_run
from adastar_core.store.runs import drop_run, start_or_continue

_ONE = Observation("a", "q", "a")


@contextmanager
def server(parent: Path | None = None) -> Iterator[Engine]:
    """Start a local server with durable commits in a temporary directory; remove it in the end."""
    home = Path(tempfile.mkdtemp(prefix="adastar-bench-", dir=parent))
    home.chmod(0o711)
    engine = open_database(None, home)
    try:
        yield engine
    finally:
        engine.dispose()
        stop_local_postgres(home)
        shutil.rmtree(home)


@contextmanager
def owned_run(engine: Engine) -> Iterator[Lease]:
    """Create a run without rows and own it; drop it in the end."""
    run, _ = start_or_continue(engine, "bench", RunConfig(), Data({Split.TRAIN: [_ONE]}, [_ONE]), "bench")
    with own_run(engine, run, iterations=1, patience=None) as lease:
        yield lease
    drop_run(engine, "bench")


def prepare_iteration(lease: Lease, iteration: int, observations: int) -> None:
    with lease.transaction() as connection:
        write_checkpoint(connection, lease.run_id, CheckpointRow(0, None, "/base", "0", 1, 1), Path("/run"))
        start_iteration(
            connection, lease.run_id, iteration, checkpoint_iteration=0, beta=1, observations=observations
        )
        connection.execute(
            text("UPDATE iterations SET phase = 'trained', m = 1000000000 WHERE phase = 'sampling'")
        )
