"""Measure every view of ``adastar ui`` on a run with many rollouts: seconds from request to page.

::

    python bench/ui.py                                     10^7 rollouts of one run: a quarter of an hour and 12 GB
    python bench/ui.py --observations 5_000 --runs 20      a small version
"""

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from common import run as run_main
from common import show
from sqlalchemy import Engine, event, text

from adastar_core.config import RunConfig
from adastar_core.postgres.server import start_local_postgres, stop_local_postgres
from adastar_core.problems.arithmetic import ArithmeticSettings
from adastar_core.records import Data, Observation, Split
from adastar_core.store.database import open_database
from adastar_core.store.runs import Run, start_or_continue
from adastar_core.ui.serving import bound, prepare
from adastar_core.ui.site import Site

ITERATIONS = 10
ATTEMPTS = 4
ITEMS = 5_000
_TIMES = 5


@dataclass(frozen=True)
class View:
    """A page: seconds of its first request and of the median of the next, its size, and the tables read end to end."""

    view: str
    first: float
    median: float
    kilobytes: float
    sequential_scans: str


def main(*, observations: int = 250_000, runs: int = 200) -> None:
    """Fill a database and measure.

    Args:
        observations: Of the large run, which has 40 rollouts of each in ten iterations; the last one still samples.
        runs: Small runs besides.
    """
    home = Path(tempfile.mkdtemp(prefix="adastar-bench-"))
    home.chmod(0o711)
    start_local_postgres(home, durable=False)
    engine = open_database(None, home)
    try:
        started = time.monotonic()
        large = fill(engine, observations, runs)
        with engine.connect() as connection:
            size = int(str(connection.scalar(text("SELECT pg_database_size(current_database())"))))
        rollouts = observations * ITERATIONS * ATTEMPTS
        print(f"{rollouts:,} rollouts, {size / 1e9:.1f} GB, filled in {time.monotonic() - started:.0f} s")
        measure(Site(engine, home), large.run_id, observations)
    finally:
        engine.dispose()
        stop_local_postgres(home)
        shutil.rmtree(home)


def fill(engine: Engine, observations: int, runs: int) -> Run:
    """Make small runs and a large one, which is returned."""
    few = [Observation("o", "What is 1 + 1?", "2")]
    for number in range(runs):
        run = new_run(engine, f"small-{number}", few)
        with engine.begin() as connection:
            for statement in _OF_ANY:
                connection.execute(text(statement), {"run_id": run.run_id, "iterations": ITERATIONS})
    train = [
        Observation(f"o{n}", f"What is {n} + 1?", str(n + 1), difficulty="1") for n in range(observations)
    ]
    large = new_run(engine, "large", train)
    values = {"run_id": large.run_id, "iterations": ITERATIONS, "observations": observations}
    values |= {"attempts": ATTEMPTS, "items": ITEMS}
    with engine.begin() as connection:
        for statement in (*_OF_ANY, *_OF_LARGE):
            connection.execute(text(statement), values)
    for iteration in range(1, ITERATIONS + 1):
        with engine.begin() as connection:
            # Foreign keys are checked by triggers, which take longer than all else.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in _OF_ITERATION:
                connection.execute(text(statement), {**values, "iteration": iteration})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return large


def new_run(engine: Engine, name: str, train: list[Observation]) -> Run:
    config = RunConfig(
        iterations=ITERATIONS, problem=ArithmeticSettings(train=len(train))
    )  # a dataset of its own
    return start_or_continue(engine, name, config, Data({Split.TRAIN: train}, train), "bench")[0]


def measure(site: Site, run: int, observations: int) -> None:
    middle, end = observations // 2, observations - 20
    of_run, t = f"/runs/{run}", f"/runs/{run}/iterations/5"
    win_rate = f"{of_run}/observations?sort=win-rate"
    views = {
        "runs": "/",
        "8 runs side by side": f"/?run={run}" + "".join(f"&run={n}" for n in range(1, 8)),
        "run that samples": of_run,
        "iteration that samples": f"{of_run}/iterations/{ITERATIONS}",
        "attempts": t,
        "attempts, in the middle": f"{t}?after={middle}&attempt=1",
        "attempts, wrong": f"{t}?kind=wrong",
        "attempts, one in 100,000 undecided": f"{t}?kind=undecided",
        "attempts, none rejected": f"{t}?kind=rejected",
        "attempts, trained, the last": f"{t}?kind=trained&after={end}",
        "attempt": f"{t}/{middle}/2",
        "observations": f"{of_run}/observations",
        "observations, hardest": win_rate,
        "observations, hardest, later": f"{win_rate}&key=0.25&after={middle}",
        "observations, easiest": f"{win_rate}&down=true",
        "observations, most recent": f"{of_run}/observations?sort=recency&down=true",
        "observations, most trained": f"{of_run}/observations?sort=trained&down=true",
        "observation": f"{of_run}/observations/{middle}",
        "observation, two iterations": f"{of_run}/observations/{middle}?left=2&right=8",
        "observation by id": f"{of_run}/find?observation=o{middle}",
        "checkpoint": f"{of_run}/checkpoints/9",
        "checkpoint, later": f"{of_run}/checkpoints/9?after={middle}",
        "answers that changed": f"{of_run}/answers/validation?left=0&right=9",
        "answers to one question": f"{of_run}/answers/validation/7?left=0&right=9",
    }
    with served(site) as client:
        rows = [one_view(client, site.engine, name, address) for name, address in views.items()]
    show("Seconds of every view", rows)
    slowest = max(rows, key=lambda row: max(row.first, row.median))
    print(f"slowest: {slowest.view}, {max(slowest.first, slowest.median):.3f} s")


@contextmanager
def served(site: Site) -> Iterator[httpx.Client]:
    listening = bound(0)
    server, address = prepare(site, listening)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        with httpx.Client(base_url=address, follow_redirects=True, timeout=600) as client:
            client.get(address)
            client.base_url = address.partition("/?")[0]
            yield client
    finally:
        server.should_exit = True
        thread.join()


def one_view(client: httpx.Client, engine: Engine, name: str, address: str) -> View:
    seconds = []
    with recorded(engine) as statements:
        for _ in range(_TIMES + 1):
            started = time.perf_counter()
            answer = client.get(address)
            seconds.append(time.perf_counter() - started)
            answer.raise_for_status()
    scanned = sorted(
        {table for one in statements[: len(statements) // len(seconds)] for table in scans(engine, *one)}
    )
    return View(
        name, seconds[0], statistics.median(seconds[1:]), len(answer.content) / 1e3, ", ".join(scanned)
    )


@contextmanager
def recorded(engine: Engine) -> Iterator[list[tuple[str, Mapping[str, object]]]]:
    """Collect what is executed, with its parameters."""
    found: list[tuple[str, Mapping[str, object]]] = []

    def keep(
        _connection: object, _cursor: object, statement: str, parameters: Mapping[str, object], *_rest: object
    ) -> None:
        found.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    yield found
    event.remove(engine, "before_cursor_execute", keep)


def scans(engine: Engine, statement: str, parameters: Mapping[str, object]) -> set[str]:
    """Return the large tables that a statement would read from end to end."""
    if not statement.lstrip().startswith(("SELECT", "WITH")):
        return set()
    cursor = engine.raw_connection().cursor()
    cursor.execute(f"EXPLAIN {statement}", parameters)
    lines = [row[0] for row in cursor.fetchall()]
    cursor.connection.rollback()
    names = (line.partition("Seq Scan on ")[2].split()[0] for line in lines if "Seq Scan on " in line)
    large = ("rollouts", "verdicts", "observation", "training_examples", "evaluation_answers")
    return {name for name in names if name.startswith(large)}


_OF_ANY = (
    "UPDATE runs SET status = 'finished' WHERE run_id = :run_id",
    "INSERT INTO checkpoints (run_id, iteration, parent_iteration, path, sha256, bytes, parameters, steps, examples, "
    "loss, token_accuracy) SELECT :run_id, t, nullif(t, 0) - 1, '/nowhere', md5(concat(:run_id, ' ', t)), 1, 1, "
    "nullif(t, 0), t, 1.0 / (t + 1), 0.9 "
    "FROM generate_series(0, :iterations - 1) t",
    "INSERT INTO iterations (run_id, iteration, checkpoint_iteration, beta, phase, m, accepted, surplus, alpha, "
    "stamped, seconds, verifier, first_try_correct, undecided, rejected) "
    "SELECT :run_id, t, t - 1, 1000000, 'advanced', 1000, 100, 0, 0.5, 0, 1, 'number/1', 500, 3, '{}' FROM generate_series(1, :iterations) t",
    "INSERT INTO evaluations (run_id, iteration, split, correct, total, undecided, by_difficulty, decoding, "
    "prompt_tokens, padded_prompt_tokens, generated_tokens, padded_generated_tokens, seconds) "
    "SELECT :run_id, t, 'validation', 100 + t, 500, 0, '{}', '{}', 1, 1, 1, 1, 1 "
    "FROM generate_series(0, :iterations - 1) t",
    "INSERT INTO compute SELECT :run_id, t, stage, 1, 1, 1, 1, 1, 1, 1, 1e12, 1e12, 1e9, 1 "
    "FROM generate_series(1, :iterations) t, unnest(ARRAY['generate first', 'generate retry', 'finetune', "
    "'evaluate validation']) stage",
)
_OF_LARGE = (
    "UPDATE iterations SET phase = 'sampling' WHERE run_id = :run_id AND iteration = :iterations",
    "INSERT INTO observation_statistics SELECT :run_id, n, n * 7 % 11, n * 13 % (:attempts + 1), "
    "CASE WHEN n * 7 % 11 > 0 THEN :attempts ELSE 0 END, n % 11, 1, n % 7 FROM generate_series(0, :observations - 1) n",
    "INSERT INTO evaluation_items SELECT :run_id, 'validation', n, 'v' || n, 'What is ' || n || ' + 1?', n + 1, "
    "'[]', '1', md5(n::text) "
    "FROM generate_series(0, :items - 1) n",
    "INSERT INTO evaluation_answers SELECT :run_id, t, 'validation', n, 'v' || n, repeat(md5(n::text), 12), n + 1, "
    "CASE WHEN n % (t + 2) = 0 THEN 'wrong' ELSE 'right' END, '1', 1, 1, 1, 1, 1, 'number/1' "
    "FROM generate_series(0, :iterations - 1) t, generate_series(0, :items - 1) n",
)
_EACH = "generate_series(0, :observations - 1) n, generate_series(1, :attempts) k"
_OF_ITERATION = (
    "INSERT INTO rollouts (run_id, iteration, position, attempt, hinted, stream, prompt_tokens, padded_prompt_tokens, "
    "generated_tokens, padded_generated_tokens, seconds, finish_reason, checkpoint_sha256, prompt_sha256, response) "
    "SELECT :run_id, :iteration, n, k, false, n, 10, 10, 50, 50, 0.1, 'eos', md5(concat(:run_id, ' ', :iteration - 1)), "
    f"repeat('b', 64), repeat(md5((n * k)::text), 12) || '#### ' || n + k FROM {_EACH}",
    "INSERT INTO verdicts SELECT :run_id, :iteration, n, k, 'number/1', "
    f"CASE WHEN (n * 4 + k) % 100000 = 99999 THEN 'undecided' WHEN (n + k) % 3 = 0 THEN 'wrong' ELSE 'right' END, n + k, '#### X', 'equals the reference', NULL FROM {_EACH}",
    "INSERT INTO training_examples SELECT :run_id, :iteration, row_number() OVER (ORDER BY n) - 1, n, 1, md5(n::text) "
    "FROM generate_series(0, :observations - 1) n WHERE (n + 1) % 3 > 0",
    "INSERT INTO observation_events SELECT :run_id, :iteration, n, n, 0, 0, 0, :attempts, 1, 1, false "
    "FROM generate_series(0, :observations - 1) n",
)

if __name__ == "__main__":
    run_main(main, __doc__)
