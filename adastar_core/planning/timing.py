"""How long a run will take, by what an earlier one of the same model took on this machine; else that nothing tells."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from adastar_core.config import RunConfig
from adastar_core.errors import DatabaseError
from adastar_core.machine.home import default_home
from adastar_core.machine.numerics import Numerics
from adastar_core.machine.threads import limit_threads
from adastar_core.machine.units import about, percent
from adastar_core.planning.forecast import Assumptions, forecast
from adastar_core.planning.plan import Plan
from adastar_core.postgres.server import is_up
from adastar_core.records import Split
from adastar_core.runs.numerics import numerics_of
from adastar_core.store.database import find_database
from adastar_core.store.migrate import stored_revision
from adastar_core.store.pace import RunPace, read_pace
from adastar_core.store.tables import SCHEMA_REVISION


def time_line(plan: Plan, config: RunConfig, given: Assumptions | None = None) -> str:
    """Return how long the run is expected to take on this machine, for people. No server is started for that.

    What is not ``given`` of its rationales is assumed to be as in the earlier run, where that had the same problem.
    """
    pace = _pace(config, _here(plan, config))
    assumed = given or (_as_in(pace, config.attempts) if pace else Assumptions())
    times = _times(plan, config, pace, assumed) if pace else None
    if pace is None or times is None:
        return "How long it takes is not known: the database has no run of this model on this machine that trained."
    parts = ", ".join(f"{what} {about(seconds)}" for what, seconds in times.items() if seconds)
    sooner = " at most" if config.patience is not None or config.budget_pflops is not None else ""
    like = f" and {percent(assumed.acceptance)} of visits accepted" if config.rationales == "model" else ""
    total = f"About {about(sum(times.values()))}{sooner}"
    return f"{total}, if it goes as fast by token and batch of answers as the run {pace.run} did here{like}: {parts}."


def _as_in(pace: RunPace, attempts: int) -> Assumptions:
    """Return what is assumed where so many attempts are made at a visit: each is right as often as in the earlier run."""
    if not pace.acceptance:
        return Assumptions()
    acceptance = 1 - (1 - pace.acceptance) ** (attempts / pace.attempts)
    return Assumptions(acceptance, pace.rationale_tokens, pace.accepted_tokens)


def _here(plan: Plan, config: RunConfig) -> Numerics:
    limit_threads(plan.parameters)
    assert plan.needs is not None
    formats = {"generator": plan.needs.generator, "trainer": plan.needs.trainer}
    return numerics_of(config.model_copy(update=formats), "transformers")


def _times(plan: Plan, config: RunConfig, pace: RunPace, assumed: Assumptions) -> dict[str, float] | None:
    """Return the seconds of each kind of work; ``None`` where the earlier run had nothing of a kind."""
    most, pool, numbers = config.attempts_at_most(), plan.observations, range(1, config.iterations + 1)
    every = [
        forecast(config, number, pool, plan.texts, assumed, most, plan.options).tokens for number in numbers
    ]
    validation, test = (_batches(config, plan.sizes[split]) for split in (Split.VALIDATION, Split.TEST))
    tests = config.iterations if config.evaluation.test_every_iteration else 1
    work: dict[str, list[tuple[float | None, int]]] = {
        "generation": [(pace.generation, sum(tokens.generated_tokens for tokens in every))],
        "training": [(pace.training, sum(tokens.train_tokens for tokens in every))],
        "evaluation": [
            (pace.base_batch, validation + test),
            (pace.batch, config.iterations * validation + tests * test),
        ],
        "models": [(pace.opening or 0.0, 1), (pace.models or 0.0, config.iterations)],
    }
    if any(each is None and count for parts in work.values() for each, count in parts):
        return None
    return {what: sum((each or 0.0) * count for each, count in parts) for what, parts in work.items()}


def _batches(config: RunConfig, items: int) -> int:
    """Return in how many batches so many items are answered: a step takes hardly longer for more rows on a processor."""
    return math.ceil(items / max(config.generator.batch_size // config.evaluation.samples, 1))


def _pace(config: RunConfig, here: Numerics) -> RunPace | None:
    try:
        with _connection(config) as connection:
            return (
                None if connection is None else read_pace(connection, config.model, config.problem.type, here)
            )
    except (DatabaseError, DBAPIError):
        return None  # a plan needs no database


@contextmanager
def _connection(config: RunConfig) -> Iterator[Connection | None]:
    """Yield a connection to the configuration's database; ``None`` where it does not run or has other tables."""
    url = config.database_url.get_secret_value() if config.database_url else None
    home = config.checked_home() or default_home()
    if not url and not os.environ.get("ADASTAR_DATABASE_URL") and not is_up(home):
        yield None
        return
    engine = find_database(url, home)
    try:
        with engine.connect() as connection:
            yield connection if stored_revision(connection) == SCHEMA_REVISION else None
    finally:
        engine.dispose()
