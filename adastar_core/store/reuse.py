"""Runs that generated from the same checkpoint in the same way, whose attempts another run can copy."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from adastar_core.machine.numerics import Numerics
from adastar_core.records import Attempt
from adastar_core.store.numerics import all_rounded_alike
from adastar_core.store.rollouts import read_attempts


def find_twins(
    connection: Connection,
    run_id: int,
    iteration: int,
    checkpoint_sha256: str,
    apart: Sequence[str],
    numerics: Numerics,
) -> list[int]:
    """Return the other runs, oldest first, whose iteration of this number came from the same checkpoint, rounded alike.

    ``apart`` are the dotted configuration keys in which a twin may differ.
    """
    key = {"run_id": run_id, "iteration": iteration, "checkpoint": checkpoint_sha256, "apart": list(apart)}
    return [
        twin
        for twin in connection.scalars(_TWINS, key).all()
        if all_rounded_alike(connection, twin, iteration - 1, numerics)
    ]


def read_twin_attempts(connection: Connection, run_id: int, iteration: int) -> list[tuple[Attempt, str]]:
    """Return the stored attempts of an iteration, each with the digest of its prompt."""
    key = {"run_id": run_id, "iteration": iteration}
    prompts = {(row[0], row[1]): row[2] for row in connection.execute(_PROMPTS, key)}
    attempts = read_attempts(connection, run_id, iteration)
    # An attempt stored between the two statements has no prompt here, and is left out.
    keys = ((attempt, (attempt.position, attempt.attempt)) for attempt in attempts)
    return [(attempt, prompts[key]) for attempt, key in keys if key in prompts]


_PROMPTS = text(
    "SELECT position, attempt, prompt_sha256 FROM rollouts WHERE run_id = :run_id AND iteration = :iteration"
)
_TWINS = text(
    "SELECT other.run_id FROM runs mine JOIN runs other ON other.dataset_id = mine.dataset_id "
    "AND other.run_id <> mine.run_id AND other.config - CAST(:apart AS text[]) = mine.config - CAST(:apart AS text[]) "
    "JOIN iterations i ON i.run_id = other.run_id AND i.iteration = :iteration "
    "JOIN checkpoints c ON c.run_id = other.run_id AND c.iteration = i.checkpoint_iteration "
    "WHERE mine.run_id = :run_id AND c.sha256 = :checkpoint ORDER BY other.run_id"
)
