"""The small run that the faults happen to: its configuration, the work that was done for it, and what came out."""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import yaml
from sqlalchemy import Engine

from adastar_core.audit.verify import verify
from adastar_core.runs.stored import open_stored
from adastar_core.store.runs import find_run
from tests.support.runs import SMALL, outcome_of

Outcome = dict[str, list[tuple[object, ...]]]
ITERATIONS = 2
SOAK = "ADASTAR_SOAK_ROUNDS" in os.environ
"""Whether `make soak` runs the tests, which then do all that they can."""
BATCH = int(SMALL["generator"]["batch_size"])  # type: ignore[index]
SAVE_EVERY = int(SMALL["trainer"]["save_every"])  # type: ignore[index]


class Undisturbed(NamedTuple):
    """The small run that nothing happened to: what came out, and how much was done for it."""

    outcome: Outcome
    done: Counter[str]


def write_config(path: Path, **values: object) -> list[str]:
    """Write the small configuration; return the arguments that run it."""
    path.write_text(yaml.safe_dump({**SMALL, "iterations": ITERATIONS, **values}))
    return ["--config", str(path), "--run", path.stem]


def on_database(folder: Path, name: str, database: Engine, **values: object) -> list[str]:
    """Return the arguments of a run with this name on a database."""
    url = database.url.render_as_string(hide_password=False)
    settings = {"database_url": url, "home": str(folder / "home"), **values}
    return write_config(folder / f"{name}.yaml", **settings)


def work(folder: Path) -> tuple[Counter[str], list[tuple[str, str]]]:
    """Return how much was done in all processes together, and where each signal hit: (kind, stage)."""
    done: Counter[str] = Counter()
    hits = []
    for line in (folder / "killer.log").read_text().splitlines():
        what, first, *rest = line.split()
        if what == "hit":
            hits.append((first, rest[0]))
        else:
            done[what] += int(first)
    return done, hits


def outcome(engine: Engine, name: str) -> Outcome:
    """Return everything that must not depend on faults; a run that ended early also tested its best of then."""
    found = find_run(engine, name)
    assert found is not None
    rows = outcome_of(engine, found.run_id)
    return {**rows, "evaluations": [row for row in rows["evaluations"] if row[1] == "validation"]}


def require_sound(database: Engine, home: Path, name: str) -> None:
    """Check a run's whole record, if it was created at all."""
    if find_run(database, name):
        assert [one.violation for one in verify(open_stored(database, home, name)) if one.violation] == []
