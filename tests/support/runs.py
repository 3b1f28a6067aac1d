"""Small runs for tests: their configuration, their loop without Prefect, and what they left in the store."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.config import RunConfig
from adastar_core.config.files import resolve
from adastar_core.records import Split
from adastar_core.runs.workspace import Workspace
from adastar_core.store.statistic_columns import NAMES

SMALL: Mapping[str, object] = {
    "problem": {"type": "arithmetic", "train": 120, "validation": 24, "test": 24, "max_digits": 3},
    "iterations": 3,
    "schedule": {"first_steps": 3, "growth": 1.3},
    "trainer": {"batch_size": 8, "learning_rate": 3e-4, "save_every": 2},
    "generator": {"batch_size": 16, "max_new_tokens": 64},
}


def small_config(engine: Engine, home: Path, *overrides: str) -> RunConfig:
    """Return the small configuration on a test's database."""
    url = engine.url.render_as_string(hide_password=False)
    return resolve({**SMALL, "database_url": url, "home": str(home)}, overrides)


def run_iteration(workspace: Workspace, iteration: int) -> None:
    """Run the stages of one iteration as the flow does."""
    wave = 0
    while not stages.sample(workspace, iteration, wave).closed:
        stages.generate(workspace, iteration, wave)
        stages.verify(workspace, iteration, wave)
        wave += 1
    stages.finetune(workspace, iteration)
    stages.evaluate(workspace, iteration, Split.VALIDATION)
    stages.advance(workspace, iteration)


QUERIES = {
    "statistics": f"SELECT position, {', '.join(NAMES)} "
    "FROM observation_statistics WHERE run_id = :run ORDER BY position",
    "events": "SELECT iteration, rank, position, attempts, correct, accepted, stamped "
    "FROM observation_events WHERE run_id = :run ORDER BY iteration, rank",
    "training examples": "SELECT iteration, place, position, attempt, text_sha256 FROM training_examples "
    "WHERE run_id = :run ORDER BY iteration, place",
    "accepted rollouts": "SELECT r.iteration, r.position, r.attempt, r.stream, r.response, r.checkpoint_sha256 "
    "FROM rollouts r JOIN training_examples USING (run_id, iteration, position, attempt) "
    "WHERE r.run_id = :run ORDER BY 1, 2, 3",
    "iterations": "SELECT iteration, beta, m, accepted, alpha, stamped, first_try_correct, false_positives, undecided, rejected, "
    "exhausted, phase FROM iterations WHERE run_id = :run ORDER BY iteration",
    "checkpoints": "SELECT iteration, parent_iteration, sha256 FROM checkpoints WHERE run_id = :run ORDER BY 1",
    "evaluations": "SELECT iteration, split, correct, total FROM evaluations WHERE run_id = :run ORDER BY 1, 2",
}
"""What must not depend on batch size, retries or kills."""


def outcome_of(engine: Engine, run_id: int, *names: str) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of the named queries, or of all."""
    with engine.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(text(QUERIES[name]), {"run": run_id})]
            for name in names or QUERIES
        }
