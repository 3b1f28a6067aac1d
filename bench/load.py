"""Measure the commands on a database with many runs and many rollouts, in seconds.

::

    python bench/load.py                                   1,000 runs, 10^7 rollouts: some minutes and 5 GB
    python bench/load.py --runs 50 --rollouts 200_000      a small version
"""

import time
from collections.abc import Callable
from functools import partial

from common import run as run_main
from common import timed
from scene import server
from sqlalchemy import Connection, Engine, text

from adastar_core.config import RunConfig
from adastar_core.records import Data, Observation, Split
from adastar_core.store.browse import Condition, read_rollouts
from adastar_core.store.costs import read_costs
from adastar_core.store.evaluations import read_evaluations
from adastar_core.store.iterations import read_iterations
from adastar_core.store.overview import find_overview, read_overviews
from adastar_core.store.runs import Run, drop_run, start_or_continue
from adastar_core.store.usage import Kind, read_used, summarise_usage

ITERATIONS = 10
OBSERVATIONS = 8_000
LARGEST_SHARE = 0.1
"""Of all rollouts, those of the largest run."""


def main(*, runs: int = 1_000, rollouts: int = 10_000_000) -> None:
    """Fill a database and measure.

    Args:
        runs: Runs, of which the last is the largest.
        rollouts: Rollouts of all runs.
    """
    with server() as engine:
        started = time.monotonic()
        largest = fill(engine, runs, rollouts)
        print(f"filled in {time.monotonic() - started:.0f} s")
        measure(engine, largest)


def fill(engine: Engine, runs: int, rollouts: int) -> Run:
    """Make the runs; the last is the largest and is returned."""
    train = [Observation(f"o{n}", f"What is {n} + 1?", str(n + 1)) for n in range(OBSERVATIONS)]
    largest = int(rollouts * LARGEST_SHARE)
    each = (rollouts - largest) // max(runs - 1, 1)
    run = None
    for number in range(runs):
        run, _ = start_or_continue(
            engine, f"run-{number}", RunConfig(), Data({Split.TRAIN: train}, train), "0"
        )
        with engine.begin() as connection:
            fill_run(connection, run.run_id, each if number < runs - 1 else largest)
    assert run is not None, "there is at least one run"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return run


def fill_run(connection: Connection, run_id: int, rollouts: int) -> None:
    per_observation = -(-rollouts // (ITERATIONS * OBSERVATIONS))
    values = {"run_id": run_id, "iterations": ITERATIONS, "observations": OBSERVATIONS}
    values |= {"visited": min(OBSERVATIONS, rollouts // ITERATIONS), "attempts": max(per_observation, 1)}
    for statement in _FILL:
        connection.execute(text(statement), values)


def measure(engine: Engine, largest: Run) -> None:
    """Print the seconds of every command's queries, the best of three, and of dropping the largest run."""

    def report(name: str, action: Callable[[], object]) -> None:
        print(f"{name}: {min(timed(action) for _ in range(3)):.3f} s")

    def show() -> None:  # what ``adastar show`` reads
        find_overview(connection, largest.name)
        for read in (read_iterations, read_evaluations, read_costs):
            read(connection, largest.run_id)

    def used(kind: Kind) -> None:  # what ``adastar observations`` reads
        summarise_usage(connection, largest.run_id, kind)
        read_used(connection, largest.run_id, largest.dataset_id, kind, 20)

    with engine.connect() as connection:
        size = int(str(connection.scalar(text("SELECT pg_database_size(current_database())"))))
        count = sum(1 for _ in read_overviews(connection))
        stored = int(str(connection.scalar(text("SELECT count(*) FROM rollouts"))))
        print(f"{count:,} runs, {stored:,} rollouts, {size / 1e9:.1f} GB")
        report("runs", lambda: read_overviews(connection))
        report("show", show)
        for kind in ("under-trained", "over-trained", "never-solved"):
            report(f"observations --{kind}", partial(used, kind))
        for name, condition in _CONDITIONS.items():
            report(
                f"rollouts {name}",
                partial(read_rollouts, connection, largest.run_id, largest.dataset_id, condition, 10),
            )
    print(f"drop of the largest run: {timed(lambda: drop_run(engine, largest.name)):.3f} s")


_CONDITIONS = {
    "--right": Condition("right"),
    "--observation": Condition(position=OBSERVATIONS // 2),
    "--undecided, of which there are none": Condition("undecided"),
    "--search for what is nowhere": Condition(search="nowhere"),
}
_FILL = (
    "UPDATE runs SET status = 'finished' WHERE run_id = :run_id",
    "INSERT INTO checkpoints (run_id, iteration, path, sha256, bytes, parameters) "
    "SELECT :run_id, t, '/nowhere', md5(t::text), 1, 1 FROM generate_series(0, :iterations) t",
    "INSERT INTO iterations (run_id, iteration, checkpoint_iteration, beta, phase, m, accepted, surplus, alpha, stamped, "
    "seconds, verifier) SELECT :run_id, t, t - 1, 100, 'advanced', :visited, 100, 0, 0.5, 0, 1, 'number/1' "
    "FROM generate_series(1, :iterations) t",
    "INSERT INTO evaluations (run_id, iteration, split, correct, total, undecided, by_difficulty, decoding, "
    "prompt_tokens, padded_prompt_tokens, generated_tokens, padded_generated_tokens, seconds) "
    "SELECT :run_id, t, 'validation', 100 + t, 500, 0, '{}', '{}', 1, 1, 1, 1, 1 FROM generate_series(0, :iterations) t",
    "INSERT INTO compute SELECT :run_id, t, stage, 1, 1, 1, 1, 1, 1, 1e12, 1e12, 1 "
    "FROM generate_series(1, :iterations) t, unnest(ARRAY['generate first', 'generate retry', 'finetune', "
    "'evaluate validation']) stage",
    "INSERT INTO observation_statistics SELECT :run_id, n, 1, 1, 2, n % 11, 1, n % 7 FROM generate_series(0, :observations - 1) n",
    "INSERT INTO rollouts (run_id, iteration, position, attempt, hinted, stream, prompt_tokens, padded_prompt_tokens, "
    "generated_tokens, padded_generated_tokens, seconds, finish_reason, checkpoint_sha256, prompt_sha256, response) "
    "SELECT :run_id, t, n, k, false, n, 10, 10, 50, 50, 0.1, 'eos', repeat('a', 64), repeat('b', 64), repeat('steps ', 20) "
    "FROM generate_series(1, :iterations) t, generate_series(0, :visited - 1) n, generate_series(1, :attempts) k",
    "INSERT INTO verdicts SELECT run_id, iteration, position, attempt, 'number/1', 'right', '1', '#### X', 'equal', NULL "
    "FROM rollouts WHERE run_id = :run_id AND attempt = 1",
    "INSERT INTO observation_events SELECT :run_id, t, n, n, 0, 0, 0, 1, 1, 0, false "
    "FROM generate_series(1, :iterations) t, generate_series(0, :visited - 1) n",
)

if __name__ == "__main__":
    run_main(main, __doc__)
