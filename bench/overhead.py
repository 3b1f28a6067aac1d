"""Measure what orchestration and storage cost: an iteration's wall time minus the time in generate, finetune and evaluate.

Runs the main job as a user does, in a separate process with its own data directory and Prefect files. An iteration lasts
from its start to the start of the next one, by the database's clock, so everything in between counts: tasks, cache,
transactions, verification, the sampler, artifacts.

Run it:  python bench/overhead.py --json overhead.json
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from adastar_core.postgres.server import stop_local_postgres
from adastar_core.store.database import open_database

FLOW = Path(__file__).parent.parent / "flows" / "adastar.py"
QUERY = text(
    "SELECT i.iteration, extract(epoch FROM lead(i.started_at, 1, r.finished_at) OVER (ORDER BY i.iteration) - i.started_at) "
    "AS wall, (SELECT sum(seconds) FROM compute c WHERE c.run_id = i.run_id AND c.iteration = i.iteration "
    "AND c.stage NOT LIKE 'evaluate test%') AS inside "
    "FROM iterations i JOIN runs r USING (run_id) ORDER BY i.iteration"
)


@dataclass(frozen=True)
class Overhead:
    """One iteration's wall time, the part inside its stages' work, and the share that is left."""

    iteration: int
    wall_seconds: float
    inside_seconds: float
    overhead_seconds: float
    overhead_share: float


def main() -> None:
    """Run, print the table, write it as JSON where asked to."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--preset", default="quickstart", help="the run to measure")
    options.add_argument("--iterations", type=int, default=3, help="iterations to measure; one more is run")
    options.add_argument("--json", type=Path, help="where to write the figures")
    arguments = options.parse_args()
    figures = measure(arguments.preset, arguments.iterations)
    show(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n")


def measure(preset: str, iterations: int) -> list[Overhead]:
    """Run ``iterations`` + 1 iterations; the last one has no next to end at and is left out."""
    home = Path(tempfile.mkdtemp(prefix="adastar-bench-"))
    home.chmod(0o711)
    (home / "prefect").mkdir()
    overrides = ["--set", f"iterations={iterations + 1}", "--set", f"home={home}"]
    environment = {**os.environ, "PREFECT_HOME": str(home / "prefect")}
    environment.pop("ADASTAR_DATABASE_URL", None)
    try:
        subprocess.run([sys.executable, FLOW, "--preset", preset, *overrides], env=environment, check=True)
        engine = open_database(None, home)
        with engine.connect() as connection:
            rows = connection.execute(QUERY).all()
        engine.dispose()
    finally:
        stop_local_postgres(home)
        shutil.rmtree(home)
    return [_overhead(row.iteration, float(row.wall), float(row.inside)) for row in rows[:iterations]]


def _overhead(iteration: int, wall: float, inside: float) -> Overhead:
    return Overhead(iteration, wall, inside, wall - inside, (wall - inside) / wall)


def show(figures: list[Overhead]) -> None:
    """Print the figures as a table."""
    table = Table(title="orchestration and storage")
    for name in ("t", "wall s", "inside s", "overhead s", "share"):
        table.add_column(name, justify="right")
    for one in figures:
        seconds = (one.wall_seconds, one.inside_seconds, one.overhead_seconds)
        table.add_row(str(one.iteration), *(f"{value:.2f}" for value in seconds), f"{one.overhead_share:.1%}")
    total, overhead = sum(one.wall_seconds for one in figures), sum(one.overhead_seconds for one in figures)
    Console().print(table)
    Console().print(f"all: {overhead:.2f} of {total:.2f} s, {overhead / total:.1%}")


if __name__ == "__main__":
    main()
