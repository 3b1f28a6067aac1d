"""Measure what orchestration and storage cost: an iteration's wall time minus the time in generate, finetune and evaluate.

Runs the main job as a user does, in a separate process with its own data directory and Prefect files. An iteration lasts
from its start to the start of the next one, by the database's clock, so everything in between counts: tasks, cache,
transactions, verification, the sampler, artifacts. Loading and saving models (the stage ``models``) counts as work.

Run it:  python bench/overhead.py --json overhead.json
"""

from dataclasses import dataclass
from pathlib import Path

from common import run, save, show
from main_job import main_job
from sqlalchemy import text

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


def main(*, preset: str = "quickstart", iterations: int = 3, json: Path | None = None) -> None:
    """Run, print the table, and write it as JSON where asked to.

    Args:
        preset: The run to measure.
        iterations: Iterations to measure; one more is run, because the last has no next one to end at.
        json: Where to write the figures.
    """
    with main_job(preset=preset, iterations=iterations + 1) as database, database.connect() as connection:
        rows = connection.execute(QUERY).all()
    figures = []
    for row in rows[:iterations]:
        wall, inside = float(row.wall), float(row.inside)
        figures.append(Overhead(row.iteration, wall, inside, wall - inside, (wall - inside) / wall))
    show("orchestration and storage", figures)
    wall, lost = (sum(row.wall_seconds for row in figures), sum(row.overhead_seconds for row in figures))
    print(f"all: {lost:.2f} of {wall:.2f} s, {lost / wall:.1%}")
    save(json, figures)


if __name__ == "__main__":
    run(main, __doc__)
