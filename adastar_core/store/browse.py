"""A run's rollouts as a person looks at them: with question, verdict and origin, a page at a time.

Every page is read along the primary keys of ``rollouts`` and ``verdicts``, from where the one before it ended, so it
costs what it shows and what its condition skips, however large the tables are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import Connection, text

from adastar_core.records import Choice
from adastar_core.store.rollouts import to_unsigned

Wanted = Literal["all", "right", "wrong", "undecided", "rejected"]


JUDGED_AS: dict[Wanted, str] = {
    "right": "outcome = 'right'",
    "wrong": "outcome = 'wrong'",
    "undecided": "outcome = 'undecided'",
    "rejected": "rejected_by IS NOT NULL",
}
"""What holds of the selecting verdict of a rollout that is wanted."""


class RolloutKey(NamedTuple):
    """What names a rollout within its run."""

    iteration: int
    position: int
    attempt: int

    def __str__(self) -> str:
        return ":".join(map(str, self))


@dataclass(frozen=True, slots=True)
class ShownRollout:
    """A rollout with its question, its verdict and its origin.

    Attributes:
        stream: Key of the attempt's random stream, an unsigned 64-bit number.
        checkpoint_iteration: The checkpoint that generated it; 0 is the base model.
        trained: Whether it is in D+ of its iteration.
        outcome: ``None``, like all that follows, where it is not judged yet.
        verifier: The version whose verdict selects.
    """

    iteration: int
    position: int
    attempt: int
    observation_id: str
    question: str
    choices: tuple[Choice, ...]
    context: tuple[tuple[str, str], ...]
    reference: str
    difficulty: str | None
    hinted: bool
    response: str
    finish_reason: str
    generated_tokens: int
    stream: int
    checkpoint_iteration: int
    checkpoint_sha256: str
    trained: bool
    outcome: str | None
    extracted: str | None
    found_by: str | None
    reason: str | None
    rationale_correct: bool | None
    rejected_by: str | None
    rejected_because: str | None
    verifier: str | None

    @property
    def key(self) -> RolloutKey:
        return RolloutKey(self.iteration, self.position, self.attempt)


@dataclass(frozen=True, slots=True)
class Condition:
    """Which rollouts are wanted; ``search`` is a text that the response contains, in any case of letters."""

    wanted: Wanted = "all"
    iteration: int | None = None
    position: int | None = None
    search: str | None = None


def read_rollouts(
    connection: Connection,
    run_id: int,
    dataset_id: int,
    condition: Condition,
    limit: int,
    after: RolloutKey | None = None,
) -> list[ShownRollout]:
    """Return up to ``limit`` rollouts, the newest iteration first, then by position and attempt; from after a key on."""
    found: list[ShownRollout] = []
    connection.execute(_BY_KEY)
    query = text(page_query(condition))
    for iteration, verifier in _iterations(connection, run_id, condition, after):
        start = after if after and after.iteration == iteration else RolloutKey(iteration, -1, 0)
        values = {"run_id": run_id, "dataset_id": dataset_id, "verifier": verifier, **start._asdict()}
        values |= {"only": condition.position, "search": condition.search, "limit": limit - len(found)}
        found += (_rollout(list(row)) for row in connection.execute(query, values))
        if len(found) >= limit:
            break
    return found


def find_position(connection: Connection, dataset_id: int, observation_id: str) -> int | None:
    """Return the position of an observation; ``None`` if the dataset has none of this id."""
    query = text(
        "SELECT position FROM observations WHERE dataset_id = :dataset_id AND observation_id = :observation_id"
    )
    key = {"dataset_id": dataset_id, "observation_id": observation_id}
    position: int | None = connection.scalar(query, key)
    return position


def page_query(condition: Condition) -> str:
    """Return the query of one iteration's rollouts that fulfil a condition, in the order of their key.

    Where the verdict decides, it starts from the verdicts, which are small; else from the rollouts.
    """
    judged = condition.wanted != "all"
    key = "v" if judged else "r"
    conditions = [_WANTED[condition.wanted]]
    if condition.position is not None:
        conditions.append(f"{key}.position = :only")
    if condition.search is not None:
        conditions.append("strpos(lower(r.response), lower(:search)) > 0")
    return _PAGE.format(
        first=_VERDICTS_FIRST if judged else _ROLLOUTS_FIRST,
        key=key,
        conditions=" AND ".join(conditions),
    )


def _iterations(
    connection: Connection, run_id: int, condition: Condition, after: RolloutKey | None
) -> Iterator[tuple[int, str | None]]:
    """Yield each wanted iteration with the verifier whose verdicts select in it, the newest first."""
    query = text("SELECT iteration, verifier FROM iterations WHERE run_id = :run_id ORDER BY iteration DESC")
    for iteration, verifier in connection.execute(query, {"run_id": run_id}).all():
        if condition.iteration in (None, iteration) and (after is None or iteration <= after.iteration):
            yield iteration, verifier or selecting_verifier(connection, run_id, iteration)


def selecting_verifier(connection: Connection, run_id: int, iteration: int) -> str | None:
    """Return the verifier whose verdicts count in an iteration; any of it where an old version did not record which."""
    verifier: str | None = connection.scalar(_VERIFIER, {"run_id": run_id, "iteration": iteration})
    return verifier


def _rollout(values: Sequence[object]) -> ShownRollout:
    fields = dict(zip(ShownRollout.__slots__, values, strict=True))
    choices, context, stream = fields["choices"], fields["context"], fields["stream"]
    assert isinstance(choices, list), "as the tables have them"
    assert isinstance(context, list), "as the tables have them"
    assert isinstance(stream, int), "as the tables have them"
    fields |= {"choices": tuple(Choice(*choice) for choice in choices), "context": tuple(map(tuple, context))}
    fields["stream"] = to_unsigned(stream)
    return ShownRollout(**fields)  # type: ignore[arg-type]


_VERIFIER = text(
    "SELECT coalesce((SELECT verifier FROM iterations WHERE run_id = :run_id AND iteration = :iteration), "
    "(SELECT verifier FROM verdicts WHERE run_id = :run_id AND iteration = :iteration "
    "ORDER BY position, attempt LIMIT 1))"
)
_BY_KEY = text(
    "SELECT set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true), "
    "set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), "
    "set_config('enable_bitmapscan', 'off', true)"
)
"""A partition that was just filled has no statistics; without them the planner would read and sort it whole."""
# LIMIT: each row's counterpart is looked up by its whole key. A join may read all of an iteration for each row instead,
# where the planner takes the partition for empty.
_ROLLOUTS_FIRST = """rollouts r LEFT JOIN LATERAL (
        SELECT * FROM verdicts WHERE run_id = r.run_id AND iteration = r.iteration AND position = r.position
        AND attempt = r.attempt AND verifier = :verifier LIMIT 1
    ) v ON true"""
_VERDICTS_FIRST = """verdicts v JOIN LATERAL (
        SELECT * FROM rollouts WHERE run_id = v.run_id AND iteration = v.iteration AND position = v.position
        AND attempt = v.attempt LIMIT 1
    ) r ON v.verifier = :verifier"""
_WANTED = {"all": "true", **{wanted: f"v.{condition}" for wanted, condition in JUDGED_AS.items()}}
_PAGE = """
    SELECT r.iteration, r.position, r.attempt, o.observation_id, o.question, o.choices, o.context, o.answer, o.difficulty,
           r.hinted, r.response, r.finish_reason, r.generated_tokens, r.stream, i.checkpoint_iteration, r.checkpoint_sha256,
           EXISTS (SELECT FROM training_examples e WHERE e.run_id = r.run_id AND e.iteration = r.iteration
                   AND e.position = r.position AND e.attempt = r.attempt) AS trained,
           v.outcome, v.extracted, v.found_by, v.reason, v.rationale_correct, v.rejected_by, v.rejected_because, v.verifier
    FROM {first}
    JOIN iterations i ON i.run_id = r.run_id AND i.iteration = r.iteration
    JOIN observations o ON o.dataset_id = :dataset_id AND o.position = r.position
    WHERE {key}.run_id = :run_id AND {key}.iteration = :iteration AND ({key}.position, {key}.attempt) > (:position, :attempt)
          AND {conditions}
    ORDER BY {key}.position, {key}.attempt LIMIT :limit
"""
