"""Answers to validation and test questions, those of one checkpoint beside those of another."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

from adastar_core.records import Observation
from adastar_core.store.observations import stored_observation
from adastar_core.ui.attempts import PAGE

Change = Literal["all", "gained", "lost", "both-right", "neither"]
"""Questions by who has them right: the right side alone, the left side alone, both, neither."""
_CONDITIONS: dict[Change, str] = {
    "all": "true",
    "gained": "a.outcome <> 'right' AND b.outcome = 'right'",
    "lost": "a.outcome = 'right' AND b.outcome <> 'right'",
    "both-right": "a.outcome = 'right' AND b.outcome = 'right'",
    "neither": "a.outcome <> 'right' AND b.outcome <> 'right'",
}


@dataclass(frozen=True, slots=True)
class ComparedAnswer:
    """One question, and how two checkpoints answered it."""

    position: int
    observation_id: str
    begins: str
    answer: str
    left: str
    left_extracted: str | None
    right: str
    right_extracted: str | None


def read_compared(
    connection: Connection, run_id: int, split: str, left: int, right: int, change: Change, after: int
) -> list[ComparedAnswer]:
    """Return a page of questions that both iterations' checkpoints answered, and one more if there is a next page.

    ``after`` is the position of the last row before the page; -1 for the first page.
    """
    query = text(_COMPARED.format(condition=_CONDITIONS[change]))
    values = {"run_id": run_id, "split": split, "left": left, "right": right}
    return [
        ComparedAnswer(*row)
        for row in connection.execute(query, {**values, "after": after, "limit": PAGE + 1})
    ]


def count_changes(
    connection: Connection, run_id: int, split: str, left: int, right: int
) -> dict[Change, int]:
    """Return how many questions there are of each kind."""
    values = {"run_id": run_id, "split": split, "left": left, "right": right}
    row = connection.execute(_COUNTS, values).one()
    return dict(zip(_CONDITIONS, row, strict=True))


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What the checkpoint of an iteration answered."""

    iteration: int
    response: str
    extracted: str | None
    outcome: str
    verifier: str | None


def read_item(connection: Connection, run_id: int, split: str, position: int) -> Observation | None:
    """Return a question of a split; ``None`` if there is none at this position."""
    row = connection.execute(_ITEM, {"run_id": run_id, "split": split, "position": position}).one_or_none()
    return None if row is None else stored_observation(row)


def read_outcomes(connection: Connection, run_id: int, split: str, position: int) -> dict[int, str]:
    """Return by iteration whether its checkpoint had a question right."""
    values = {"run_id": run_id, "split": split, "position": position}
    return {int(iteration): str(outcome) for iteration, outcome in connection.execute(_OUTCOMES, values)}


def read_answer(
    connection: Connection, run_id: int, split: str, position: int, iteration: int
) -> GivenAnswer | None:
    values = {"run_id": run_id, "split": split, "position": position, "iteration": iteration}
    row = connection.execute(_ANSWER, values).one_or_none()
    return None if row is None else GivenAnswer(*row)


_BOTH = """
    FROM evaluation_answers a JOIN evaluation_answers b USING (run_id, split, position)
    WHERE run_id = :run_id AND split = :split AND a.iteration = :left AND b.iteration = :right
"""
_COMPARED = f"""
    WITH chosen AS MATERIALIZED (
        SELECT position, a.outcome AS left_outcome, a.extracted AS left_extracted, b.outcome AS right_outcome,
               b.extracted AS right_extracted
        {_BOTH} AND position > :after AND {{condition}} ORDER BY position LIMIT :limit
    )
    SELECT position, i.observation_id, left(i.question, 300), i.answer, left_outcome, left_extracted, right_outcome,
           right_extracted
    FROM chosen JOIN evaluation_items i USING (position)
    WHERE i.run_id = :run_id AND i.split = :split ORDER BY position
"""
_COUNTS = text(
    f"SELECT {', '.join(f'count(*) FILTER (WHERE {condition})' for condition in _CONDITIONS.values())} {_BOTH}"
)
_ITEM = text(
    "SELECT observation_id, question, answer, choices, difficulty, context FROM evaluation_items "
    "WHERE run_id = :run_id AND split = :split AND position = :position"
)
# By checkpoint, since that is how the table's key begins.
_OUTCOMES = text(
    """
    SELECT c.iteration, a.outcome FROM checkpoints c
    CROSS JOIN LATERAL (
        SELECT outcome FROM evaluation_answers
        WHERE run_id = :run_id AND iteration = c.iteration AND split = :split AND position = :position
    ) a
    WHERE c.run_id = :run_id ORDER BY c.iteration
    """
)
_ANSWER = text(
    "SELECT iteration, response, extracted, outcome, verifier FROM evaluation_answers "
    "WHERE run_id = :run_id AND iteration = :iteration AND split = :split AND position = :position"
)
