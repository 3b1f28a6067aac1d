"""Which observations a run used too little, too much, or never with success."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

from adastar_core.store.statistic_columns import NAMES

Kind = Literal["all", "under-trained", "over-trained", "never-solved"]


@dataclass(frozen=True, slots=True)
class UsedObservation:
    """One observation and how the run used it; ``statistics`` holds every one of ``store/statistic_columns.py`` by name."""

    position: int
    observation_id: str
    difficulty: str | None
    question: str
    statistics: Mapping[str, int]

    @property
    def win_rate(self) -> float | None:
        """Correct attempts / attempts at the last stamp; ``None`` before the first."""
        attempts = self.statistics["attempts"]
        return self.statistics["correct"] / attempts if attempts else None

    def as_json(self) -> dict[str, object]:
        values = {name: getattr(self, name) for name in self.__slots__ if name != "statistics"}
        return values | dict(self.statistics)


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """How evenly a run used its N observations.

    ``visited`` were visited at least once, ``matching`` are of the kind that was asked for, and ``mean_trained``
    is the number of rationales that were trained on per observation.
    """

    observations: int
    visited: int
    mean_trained: float
    matching: int


def summarise_usage(connection: Connection, run_id: int, kind: Kind) -> UsageSummary:
    """Return how evenly the run used its observations, and how many are of a kind."""
    query = text(_SUMMARY.format(condition=_CONDITIONS[kind]))
    return UsageSummary(**connection.execute(query, {"run_id": run_id}).one()._mapping)


def read_used(
    connection: Connection, run_id: int, dataset_id: int, kind: Kind, limit: int
) -> list[UsedObservation]:
    """Return the first ``limit`` observations of a kind, the most extreme first.

    *under-trained*: trained on less than half as often as the mean; *over-trained*: more than twice as often;
    *never-solved*: visited, and without any accepted rationale.
    """
    query = text(_USED.format(condition=_CONDITIONS[kind], order=_ORDERS[kind]))
    rows = connection.execute(query, {"run_id": run_id, "dataset_id": dataset_id, "limit": limit})
    return [
        UsedObservation(position, observation_id, difficulty, question, dict(zip(NAMES, counts, strict=True)))
        for position, observation_id, difficulty, question, *counts in rows
    ]


_MEAN = "(SELECT avg(times_trained) FROM observation_statistics WHERE run_id = :run_id)"
_CONDITIONS: Mapping[Kind, str] = {
    "all": "true",
    "under-trained": f"times_trained < 0.5 * {_MEAN}",
    "over-trained": f"times_trained > 2 * {_MEAN}",
    "never-solved": "times_visited > 0 AND times_trained = 0",
}
_ORDERS: Mapping[Kind, str] = {
    "all": "position",
    "under-trained": "times_trained, times_visited DESC, position",
    "over-trained": "times_trained DESC, position",
    "never-solved": "times_visited DESC, position",
}
_SUMMARY = """
    SELECT count(*) AS observations, count(*) FILTER (WHERE times_visited > 0) AS visited,
           coalesce(avg(times_trained)::float8, 0) AS mean_trained, count(*) FILTER (WHERE {condition}) AS matching
    FROM observation_statistics WHERE run_id = :run_id
"""
_USED = f"""
    WITH chosen AS (
        SELECT * FROM observation_statistics WHERE run_id = :run_id AND {{condition}} ORDER BY {{order}} LIMIT :limit
    )
    SELECT position, observation_id, difficulty, question, {", ".join(NAMES)}
    FROM chosen JOIN observations USING (position) WHERE dataset_id = :dataset_id ORDER BY {{order}}
"""
