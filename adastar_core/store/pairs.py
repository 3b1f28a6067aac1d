"""Right and wrong attempts at one observation, paired for training on preferences."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, text

from adastar_core.store.bulk import join_by_hash
from adastar_core.store.provenance import STREAMED
from adastar_core.store.spool import spooled


@dataclass(frozen=True, slots=True)
class Pair:
    """Two responses to one question, of one iteration: ``chosen`` may be trained on, ``rejected`` is wrong."""

    iteration: int
    position: int
    chosen: str
    rejected: str


def read_pairs(engine: Engine, run_id: int, iterations: Sequence[int]) -> Iterator[Pair]:
    """Yield the pairs of the given iterations: the first right attempt with the first wrong one, and so on.

    Each attempt is in one pair at most. A wrong answer to a prompt with a hint is in none: the pair's prompt has no hint.
    All are read before the first is yielded, so a slow consumer keeps no transaction open.
    """
    with ExitStack() as kept:
        with engine.connect() as connection:
            join_by_hash(connection)
            keys = ({"run_id": run_id, "iteration": iteration} for iteration in iterations)
            rows = (
                row for key in keys for row in connection.execute(_PAIRS, key, execution_options=STREAMED)
            )
            spool = kept.enter_context(spooled(rows, _pair))
        yield from spool


def _pair(values: list[Any]) -> Pair:
    return Pair(*values)


_PAIRS = text(
    """
    WITH judged AS (
        SELECT r.iteration, r.position, r.response, v.outcome,
               row_number() OVER (PARTITION BY r.position, v.outcome ORDER BY r.attempt) AS place
        FROM rollouts r
        JOIN iterations i ON i.run_id = r.run_id AND i.iteration = r.iteration
        JOIN verdicts v ON v.run_id = r.run_id AND v.iteration = r.iteration AND v.position = r.position
                       AND v.attempt = r.attempt AND v.verifier = coalesce(i.verifier, v.verifier)
        WHERE r.run_id = :run_id AND r.iteration = :iteration
          AND (v.outcome = 'right' AND v.rejected_by IS NULL OR v.outcome = 'wrong' AND NOT r.hinted)
    )
    SELECT c.iteration, position, c.response AS chosen, w.response AS rejected
    FROM judged c JOIN judged w USING (position, place)
    WHERE c.outcome = 'right' AND w.outcome = 'wrong' ORDER BY position, place
    """
)
