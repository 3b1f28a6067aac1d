"""The first, unhinted attempts of every visit, and whether they were right."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from adastar_core.store.bulk import join_by_hash


@dataclass(frozen=True, slots=True)
class FirstAttempts:
    """An iteration's visits in their order: positions, and whether the first attempt was right, each of shape (m,)."""

    iteration: int
    positions: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]


def read_first_attempts(connection: Connection, run_id: int) -> list[FirstAttempts]:
    """Return the visits of every closed iteration, in order. An undecided attempt is not right."""
    join_by_hash(connection)
    visits: dict[int, list[tuple[int, bool]]] = {}
    for iteration, position, right in connection.execute(_FIRST, {"run_id": run_id}):
        visits.setdefault(iteration, []).append((position, right))
    return [
        FirstAttempts(iteration, *(np.array(column) for column in zip(*rows, strict=True)))
        for iteration, rows in visits.items()
    ]


_FIRST = text(
    "SELECT e.iteration, e.position, v.outcome = 'right' FROM observation_events e "
    "JOIN iterations i USING (run_id, iteration) JOIN rollouts r USING (run_id, iteration, position) "
    "JOIN verdicts v ON v.run_id = e.run_id AND v.iteration = e.iteration AND v.position = e.position "
    "AND v.attempt = r.attempt AND v.verifier = coalesce(i.verifier, v.verifier) "
    "WHERE e.run_id = :run_id AND r.attempt = 1 AND NOT r.hinted ORDER BY e.iteration, e.rank"
)
