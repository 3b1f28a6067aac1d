"""Evaluations: every judged answer of a split, and the totals once all of its answers are there."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert

from adastar_core.compute import StageTokens
from adastar_core.errors import StageError
from adastar_core.generators import Decoding
from adastar_core.records import Accuracy, Attempt, Observation, Outcome, Split, Verdict
from adastar_core.store import tables
from adastar_core.store.bulk import insert_new, storable
from adastar_core.store.costs import GENERATION_PAIRS, TOKEN_SUMS, TOKENS, stage_tokens

_SAME = ("run_id", "iteration", "split", "seconds", "verifier")
_ANSWERS = "FROM evaluation_answers WHERE run_id = :run_id AND iteration = :iteration AND split = :split"


@dataclass(frozen=True, slots=True)
class Answer:
    """One judged item of an evaluation; ``position`` is its place in the split."""

    position: int
    observation_id: str
    difficulty: str | None
    response: str
    extracted: str | None
    outcome: Outcome
    prompt_tokens: int
    padded_prompt_tokens: int
    generated_tokens: int
    padded_generated_tokens: int

    @classmethod
    def of(cls, observation: Observation, attempt: Attempt, verdict: Verdict) -> "Answer":
        """Return the answer that ``attempt`` gave to ``observation``, as stored."""
        return cls(
            position=attempt.position,
            observation_id=observation.observation_id,
            difficulty=observation.difficulty,
            response=storable(attempt.response),
            extracted=verdict.extracted and storable(verdict.extracted),
            outcome=verdict.outcome,
            **{name: getattr(attempt, name) for name in TOKENS},
        )


_ANSWER = Answer.__slots__


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """A completed evaluation of one checkpoint on one split.

    Items without a difficulty tag are in no part of ``by_difficulty``. ``verifier``, the version that judged,
    is ``None`` for evaluations of old versions of the code.
    """

    iteration: int
    split: Split
    accuracy: Accuracy
    undecided: int
    by_difficulty: dict[str, Accuracy]
    tokens: StageTokens
    seconds: float
    verifier: str | None = None


def write_answers(
    connection: Connection,
    run_id: int,
    iteration: int,
    split: Split,
    answers: Sequence[Answer],
    seconds: float,
    verifier: str,
) -> int:
    """Store judged items, each with its share of the wall time; return how many were not there yet."""
    same = (run_id, iteration, split, seconds, verifier)
    rows = ((*same, *(getattr(answer, name) for name in _ANSWER)) for answer in answers)
    return insert_new(connection, tables.evaluation_answers, (*_SAME, *_ANSWER), rows)


def forget_other_answers(
    connection: Connection, run_id: int, iteration: int, split: Split, verifier: str
) -> int:
    """Remove the answers that another version judged; return how many there were."""
    key = {"run_id": run_id, "iteration": iteration, "split": split.value, "verifier": verifier}
    return connection.execute(_FORGET, key).rowcount


def read_answered_positions(connection: Connection, run_id: int, iteration: int, split: Split) -> set[int]:
    """Return the positions of the items that are judged already."""
    key = {"run_id": run_id, "iteration": iteration, "split": split.value}
    return set(connection.scalars(text(f"SELECT position {_ANSWERS}"), key))


def close_evaluation(
    connection: Connection,
    run_id: int,
    iteration: int,
    split: Split,
    items: int,
    decoding: Decoding,
    *,
    samples: int = 1,
    content_sha256: str | None = None,
    verifier: str | None = None,
) -> EvaluationRow:
    """Add up the stored answers of a split and record the totals. Called twice, it changes nothing.

    Args:
        items: How many items the split has.
        samples: Samples per answer.
        content_sha256: Digest of all that decides the answers, by which other runs find them.

    Raises:
        StageError: Some items have no stored answer.
    """
    key = {"run_id": run_id, "iteration": iteration, "split": split.value}
    totals = dict(connection.execute(_TOTALS, {**key, "samples": samples}).one()._mapping)
    if totals["total"] != items:
        raise StageError(
            f"The evaluation of iteration {iteration} on {split} has {totals['total']} answers for {items} items."
        )
    facts = {"decoding": {**asdict(decoding), "samples": samples}, "verifier": verifier}
    values = {**key, **totals, **facts, "content_sha256": content_sha256}
    connection.execute(insert(tables.evaluations).values(values).on_conflict_do_nothing())
    found = find_evaluation(connection, run_id, iteration, split)
    assert found is not None, "it was just written"
    return found


def borrow_answers(
    connection: Connection, run_id: int, iteration: int, split: Split, content_sha256: str, verifier: str
) -> int:
    """Copy the answers of an evaluation with the same content, of any run; return how many were new."""
    key = {"run_id": run_id, "iteration": iteration, "split": split.value, "verifier": verifier}
    return connection.execute(_BORROW, {**key, "content": content_sha256}).rowcount


def find_evaluation(
    connection: Connection, run_id: int, iteration: int, split: Split
) -> EvaluationRow | None:
    """Return one evaluation; ``None`` if it is not recorded."""
    rows = read_evaluations(connection, run_id)
    return next((row for row in rows if (row.iteration, row.split) == (iteration, split)), None)


def read_evaluations(connection: Connection, run_id: int) -> list[EvaluationRow]:
    """Return a run's completed evaluations by split and iteration."""
    query = text("SELECT * FROM evaluations WHERE run_id = :run_id ORDER BY split, iteration")
    return [
        EvaluationRow(
            row.iteration,
            Split(row.split),
            Accuracy(row.correct, row.total),
            row.undecided,
            {tag: Accuracy(**counts) for tag, counts in row.by_difficulty.items()},
            stage_tokens(row),
            row.seconds,
            row.verifier,
        )
        for row in connection.execute(query, {"run_id": run_id})
    ]


_COPIED = (*_ANSWER, "seconds")
_BORROW = text(
    f"INSERT INTO evaluation_answers (run_id, iteration, split, verifier, {', '.join(_COPIED)}) "
    f"SELECT :run_id, :iteration, :split, :verifier, {', '.join(f'a.{name}' for name in _COPIED)} "
    "FROM (SELECT run_id, iteration, split FROM evaluations WHERE content_sha256 = :content LIMIT 1) e "
    "JOIN evaluation_answers a USING (run_id, iteration, split) ON CONFLICT DO NOTHING"
)
_FORGET = text(
    "DELETE FROM evaluation_answers WHERE run_id = :run_id AND iteration = :iteration AND split = :split "
    "AND verifier IS DISTINCT FROM :verifier"
)
# One row holds the tokens of all samples of its item. GENERATION_PAIRS grows with their square, so it is divided by their number.
_TOTALS = text(
    f"""
    WITH answers AS (
        SELECT * {_ANSWERS}
    ), tags AS (
        SELECT difficulty, count(*) FILTER (WHERE outcome = 'right') AS correct, count(*) AS total
        FROM answers WHERE difficulty IS NOT NULL GROUP BY difficulty
    )
    SELECT count(*) FILTER (WHERE outcome = 'right') AS correct,
           count(*) AS total,
           count(*) FILTER (WHERE outcome = 'undecided') AS undecided,
           coalesce((SELECT jsonb_object_agg(difficulty, jsonb_build_object('correct', correct, 'total', total))
                     FROM tags), '{{}}') AS by_difficulty,
           {TOKEN_SUMS},
           coalesce(sum({GENERATION_PAIRS}), 0) / :samples AS attention_pairs,
           coalesce(sum(seconds), 0) AS seconds
    FROM answers
    """
)
