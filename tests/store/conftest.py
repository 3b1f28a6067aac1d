from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from adastar_core.config import RunConfig
from adastar_core.records import Choice, Observation
from adastar_core.store.lease import Lease, own_run
from adastar_core.store.runs import Run, start_or_continue


def observations(count: int) -> list[Observation]:
    return [
        Observation(f"id-{n}", f"How much is {n} + 1?", str(n + 1), (Choice("A", "é\\\n"),), str(n % 3))
        for n in range(count)
    ]


def start(engine: Engine, name: str = "one", config: RunConfig | None = None, count: int = 20) -> Run:
    return start_or_continue(engine, name, config or RunConfig(), observations(count), "test")[0]


@pytest.fixture
def lease(database: Engine) -> Iterator[Lease]:
    """The right to write a run of 20 observations."""
    with own_run(database, start(database), iterations=3, patience=None) as owned:
        yield owned
