"""A run's rows at one moment, read in one short transaction, so that no transaction is open while they are checked."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text

from adastar_core.runs.stored import StoredRun
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoints
from adastar_core.store.items import Item, read_items
from adastar_core.store.provenance import STREAMED, Provenance, spooled_provenance
from adastar_core.store.runs import read_run_config
from adastar_core.store.spool import Spool, spooled
from adastar_core.store.statistics import Difference, statistics_differences


class RecordedRollout(NamedTuple):
    """A rollout without its text, with the digest that is recorded for the checkpoint of its iteration."""

    iteration: int
    position: int
    attempt: int
    hinted: bool
    stream: int
    prompt_sha256: str
    checkpoint_sha256: str
    recorded_sha256: str | None


class RecordedVisits(NamedTuple):
    """The totals of a closed iteration, and the same counted from its visits and training examples."""

    iteration: int
    m: int
    stamped: int
    accepted: int
    visits: int
    lowest: int | None
    highest: int | None
    accepted_visits: int
    stamped_visits: int
    last_stamped: int
    examples: int
    left_out: int
    wrongly_left_out: int


class RecordedEvaluation(NamedTuple):
    """An evaluation's totals, and the same counted from its answers."""

    iteration: int
    split: str
    correct: int
    total: int
    right_answers: int
    answers: int


class RecordedAnswer(NamedTuple):
    """An answer to an item that is not the one pinned at its position."""

    iteration: int
    split: str
    position: int
    observation_id: str
    pinned: str | None


@dataclass(frozen=True)
class Record:
    """All of a run that is checked.

    Attributes:
        configuration: The fields that decide the result, by dotted key.
        differences: Observations whose stored statistics differ from those rebuilt from the events.
        items: Validation and test items; empty if the run was last opened by a version that did not pin them.
        unpinned: The first answer to an item that is not the pinned one, if any.
    """

    stored: StoredRun
    configuration: dict[str, object]
    visits: list[RecordedVisits]
    differences: list[Difference]
    evaluations: list[RecordedEvaluation]
    items: list[Item]
    unpinned: list[RecordedAnswer]
    rollouts: Spool[RecordedRollout]
    examples: Spool[Provenance]
    checkpoints: list[CheckpointRow]


@contextmanager
def record_of(stored: StoredRun) -> Iterator[Record]:
    """Read a run's record in one snapshot. The block needs no connection to the database."""
    run, key = stored.run, {"run_id": stored.run_id}
    with ExitStack() as kept:
        with stored.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            # Rows without a bound on their number go to a spool, the others to lists.
            rollouts = connection.execute(_ROLLOUTS, key, execution_options=STREAMED)
            iterations = list(connection.scalars(_ITERATIONS, key))
            examples = spooled_provenance(connection, run.run_id, run.dataset_id, iterations)
            record = Record(
                stored=stored,
                configuration=read_run_config(connection, run.run_id),
                visits=[RecordedVisits(*row) for row in connection.execute(_VISITS, key)],
                differences=statistics_differences(connection, run.run_id),
                evaluations=[RecordedEvaluation(*row) for row in connection.execute(_EVALUATIONS, key)],
                items=read_items(connection, run.run_id),
                unpinned=[RecordedAnswer(*row) for row in connection.execute(_UNPINNED, key)],
                rollouts=kept.enter_context(spooled(rollouts, RecordedRollout._make)),
                examples=kept.enter_context(examples),
                checkpoints=read_checkpoints(connection, run.run_id, stored.folder),
            )
        yield record


_ITERATIONS = text("SELECT iteration FROM iterations WHERE run_id = :run_id ORDER BY iteration")
_ROLLOUTS = text(
    "SELECT r.iteration, r.position, r.attempt, r.hinted, r.stream, r.prompt_sha256, r.checkpoint_sha256, "
    "c.sha256 AS recorded_sha256 FROM rollouts r "
    "LEFT JOIN iterations i ON i.run_id = r.run_id AND i.iteration = r.iteration "
    "LEFT JOIN checkpoints c ON c.run_id = r.run_id AND c.iteration = i.checkpoint_iteration "
    "WHERE r.run_id = :run_id"
)
_VISITS = text(
    """
    SELECT i.iteration, i.m, i.stamped, i.accepted, v.*,
           (SELECT count(*) FROM training_examples e WHERE e.run_id = :run_id AND e.iteration = i.iteration) AS examples,
           coalesce(jsonb_array_length(i.left_out), 0) AS left_out,
           (SELECT count(*) FROM jsonb_array_elements(i.left_out) pair
            LEFT JOIN verdicts w ON w.run_id = :run_id AND w.iteration = i.iteration AND w.verifier = i.verifier
                                AND w.position = (pair ->> 0)::int AND w.attempt = (pair ->> 1)::int
            LEFT JOIN training_examples e ON e.run_id = :run_id AND e.iteration = i.iteration
                                         AND e.position = (pair ->> 0)::int AND e.attempt = (pair ->> 1)::int
            WHERE w.outcome IS DISTINCT FROM 'right' OR w.rejected_by IS NOT NULL OR e.place IS NOT NULL) AS wrongly_left_out
    FROM iterations i CROSS JOIN LATERAL (
        SELECT count(*) AS visits, min(rank) AS lowest, max(rank) AS highest, coalesce(sum(accepted), 0) AS accepted_visits,
               count(*) FILTER (WHERE stamped) AS stamped_visits,
               coalesce(max(rank) FILTER (WHERE stamped), -1) AS last_stamped
        FROM observation_events WHERE run_id = :run_id AND iteration = i.iteration
    ) v
    WHERE i.run_id = :run_id AND i.phase = 'advanced' ORDER BY i.iteration
    """
)
_EVALUATIONS = text(
    """
    SELECT e.iteration, e.split, e.correct, e.total, count(*) FILTER (WHERE a.outcome = 'right') AS right_answers,
           count(a.position) AS answers
    FROM evaluations e LEFT JOIN evaluation_answers a USING (run_id, iteration, split)
    WHERE e.run_id = :run_id GROUP BY e.iteration, e.split, e.correct, e.total ORDER BY 1, 2
    """
)
_UNPINNED = text(
    """
    SELECT a.iteration, a.split, a.position, a.observation_id, i.observation_id AS pinned
    FROM evaluation_answers a LEFT JOIN evaluation_items i USING (run_id, split, position)
    WHERE a.run_id = :run_id AND i.observation_id IS DISTINCT FROM a.observation_id
    AND EXISTS (SELECT FROM evaluation_items WHERE run_id = :run_id)
    ORDER BY 1, 2, 3 LIMIT 1
    """
)
