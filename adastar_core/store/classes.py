"""What an iteration visited and accepted, by the class of the reference answer."""

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class ClassVisits:
    """The visits of one iteration to observations with one reference and one number of options (0: an open answer).

    ``accepting`` visits have ``accepted`` rationales that were trained on; ``correct`` of the attempts count as wins.
    """

    answer: str
    options: int
    visited: int
    accepting: int
    accepted: int
    attempts: int
    correct: int


def read_class_visits(connection: Connection, run_id: int) -> dict[int, list[ClassVisits]]:
    """Return the visits of every closed iteration; an option's class is its label, another one's its words."""
    found: dict[int, list[ClassVisits]] = {}
    for iteration, *values in connection.execute(_VISITS, {"run_id": run_id}):
        found.setdefault(iteration, []).append(ClassVisits(*values))
    return found


_VISITS = text(
    r"""
    WITH visited AS (
        SELECT e.iteration, e.attempts, e.correct, e.accepted, jsonb_array_length(o.choices) AS options,
               coalesce((SELECT choice ->> 0 FROM jsonb_array_elements(o.choices) choice
                         WHERE lower(o.answer) IN (lower(choice ->> 0), lower(choice ->> 1))
                         ORDER BY lower(o.answer) = lower(choice ->> 0) DESC LIMIT 1),
                        lower(trim(regexp_replace(o.answer, '\s+', ' ', 'g')))) AS answer
        FROM runs r JOIN observation_events e USING (run_id) JOIN observations o USING (dataset_id, position)
        WHERE run_id = :run_id
    )
    SELECT iteration, answer, options, count(*), count(*) FILTER (WHERE accepted > 0), sum(accepted), sum(attempts), sum(correct)
    FROM visited GROUP BY iteration, answer, options ORDER BY iteration, answer, options
    """
)
