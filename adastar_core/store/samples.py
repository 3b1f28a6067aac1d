"""Questions that a run was measured on, with what was answered before and after training."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from adastar_core.records import Split


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it was given and judged; ``extracted`` is ``None`` where none was found."""

    outcome: str
    extracted: str | None
    response: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A question with both answers; ``after`` is the same as ``before`` where the base model was selected."""

    observation_id: str
    question: str
    reference: str
    before: Given
    after: Given


@dataclass(frozen=True, slots=True)
class SampleGroup:
    """Some of the ``total`` questions of one kind: gained, lost, kept, wrong or undecided."""

    kind: str
    total: int
    samples: tuple[Sample, ...]


KINDS = {
    "lost": "Right before training, not any more",
    "gained": "Right only after training",
    "wrong": "Wrong before and after",
    "undecided": "Undecided after training",
    "kept": "Right before and after",
}
"""The kinds of questions in the order of a report, with their titles. Each question is of one kind."""
BASE_KINDS = {"wrong": "Wrong", "undecided": "Undecided", "kept": "Right"}
"""The same where the base model was selected: nothing was measured after training, and no question is of another kind."""


def read_samples(
    connection: Connection, run_id: int, split: Split, iteration: int, each: int
) -> tuple[SampleGroup, ...]:
    """Return the first ``each`` questions of every kind, comparing the base model with an iteration's checkpoint."""
    values = {"run_id": run_id, "split": split.value, "iteration": iteration, "each": each}
    found: dict[str, tuple[int, list[Sample]]] = {}
    for kind, total, observation_id, question, reference, *answers in connection.execute(_SAMPLES, values):
        sample = Sample(observation_id, question, reference, Given(*answers[:3]), Given(*answers[3:]))
        found.setdefault(kind, (total, []))[1].append(sample)
    return tuple(SampleGroup(kind, found[kind][0], tuple(found[kind][1])) for kind in KINDS if kind in found)


_SAMPLES = text(
    """
    WITH pairs AS (
        SELECT position, b.outcome AS was, b.extracted AS gave, b.response AS said, a.outcome, a.extracted, a.response,
               CASE WHEN b.outcome = 'right' THEN CASE a.outcome WHEN 'right' THEN 'kept' ELSE 'lost' END
                    ELSE CASE a.outcome WHEN 'right' THEN 'gained' ELSE a.outcome END END AS kind
        FROM evaluation_answers b JOIN evaluation_answers a USING (run_id, split, position)
        WHERE run_id = :run_id AND split = :split AND b.iteration = 0 AND a.iteration = :iteration
    ), ranked AS (
        SELECT *, row_number() OVER (PARTITION BY kind ORDER BY position) AS place, count(*) OVER (PARTITION BY kind) AS total
        FROM pairs
    )
    SELECT kind, total, i.observation_id, i.question, i.answer, was, gave, said, outcome, extracted, response
    FROM ranked JOIN evaluation_items i ON i.run_id = :run_id AND i.split = :split AND i.position = ranked.position
    WHERE place <= :each ORDER BY kind, place
    """
)
