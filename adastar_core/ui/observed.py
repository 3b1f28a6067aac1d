"""Observations of a run in the order of a statistic, and what the run did with one of them."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

from adastar_core.records import Observation
from adastar_core.store.observations import stored_observation
from adastar_core.ui.attempts import PAGE

Sort = Literal["position", "win-rate", "recency", "trained", "visited"]
_KEYS: dict[Sort, str] = {
    "position": "0",
    # What was never stamped has no win rate and comes last, whatever the direction.
    "win-rate": "coalesce(CAST(correct AS float8) / nullif(attempts, 0), {last})",
    "recency": "last_iteration",
    "trained": "times_trained",
    "visited": "times_visited",
}


@dataclass(frozen=True, slots=True)
class ListedObservation:
    """An observation as a line of a list; ``key`` is the value that the list is sorted by."""

    position: int
    key: float
    observation_id: str
    begins: str
    difficulty: str | None
    last_iteration: int
    correct: int
    attempts: int
    times_visited: int
    times_stamped: int
    times_trained: int


def read_sorted(
    connection: Connection,
    run_id: int,
    dataset_id: int,
    sort: Sort,
    *,
    down: bool,
    after: tuple[float, int] | None = None,
) -> list[ListedObservation]:
    """Return a page of observations and one more if there is a next page; equal ones in the order of their position.

    With ``down`` the largest is first. ``after`` are key and position of the last row before the page.
    """
    key = f"CAST({_KEYS[sort].format(last=-1 if down else 2)} AS float8)"
    beyond = "<" if down else ">"
    values: dict[str, float] = {"run_id": run_id, "dataset_id": dataset_id, "limit": PAGE + 1}
    condition = "true"
    if after is not None:
        values |= {"key": after[0], "position": after[1]}
        condition = f"({key} {beyond} :key OR ({key} = :key AND position > :position))"
    query = _SORTED.format(key=key, condition=condition, direction="DESC" if down else "ASC")
    return [ListedObservation(*row) for row in connection.execute(text(query), values)]


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of an observation."""

    iteration: int
    rank: int
    attempts: int
    correct: int
    accepted: int
    stamped: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """An observation with its statistics in a run, ``None`` before it entered, and its newest visits, newest first."""

    observation: Observation
    statistics: ListedObservation | None
    visits: tuple[Visit, ...]


def read_observed(connection: Connection, run_id: int, dataset_id: int, position: int) -> Observed | None:
    """Return the observation at a position; ``None`` if there is none."""
    values = {"run_id": run_id, "dataset_id": dataset_id, "position": position, "limit": PAGE}
    row = connection.execute(_OBSERVATION, values).one_or_none()
    if row is None:
        return None
    counted = connection.execute(_STATISTICS, values).one_or_none()
    statistics = None if counted is None else ListedObservation(*counted)
    visits = tuple(Visit(*visit) for visit in connection.execute(_VISITS, values))
    return Observed(stored_observation(row), statistics, visits)


_SHOWN = (
    "position, {key}, observation_id, left(question, 300), difficulty, last_iteration, correct, attempts, "
    "times_visited, times_stamped, times_trained"
)
_SORTED = f"""
    WITH chosen AS MATERIALIZED (
        SELECT *, {{key}} AS key FROM observation_statistics WHERE run_id = :run_id AND {{condition}}
        ORDER BY key {{direction}}, position LIMIT :limit
    )
    SELECT {_SHOWN.format(key="key")} FROM chosen JOIN observations o USING (position)
    WHERE o.dataset_id = :dataset_id ORDER BY key {{direction}}, position
"""
_OBSERVATION = text(
    "SELECT observation_id, question, answer, choices, difficulty, context FROM observations "
    "WHERE dataset_id = :dataset_id AND position = :position"
)
_STATISTICS = text(
    f"SELECT {_SHOWN.format(key='0')} FROM observation_statistics JOIN observations USING (position) "
    "WHERE run_id = :run_id AND dataset_id = :dataset_id AND position = :position"
)
# By iteration, since that is how the table's key begins.
_VISITS = text(
    """
    SELECT e.iteration, e.rank, e.attempts, e.correct, e.accepted, e.stamped FROM iterations i
    CROSS JOIN LATERAL (
        SELECT * FROM observation_events
        WHERE run_id = :run_id AND iteration = i.iteration AND position = :position
    ) e
    WHERE i.run_id = :run_id ORDER BY i.iteration DESC LIMIT :limit
    """
)
