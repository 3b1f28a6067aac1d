"""Everything that is recorded of one attempt, and its neighbours."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from adastar_core.records import Observation
from adastar_core.store.browse import RolloutKey, selecting_verifier
from adastar_core.store.observations import stored_observation
from adastar_core.store.rollouts import to_unsigned


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """What one version of a verifier says of an attempt; ``selects`` where its verdict counts."""

    verifier: str
    outcome: str
    extracted: str | None
    found_by: str
    reason: str
    rationale_correct: bool | None
    rejected_by: str | None
    rejected_because: str | None
    selects: bool


@dataclass(frozen=True, slots=True)
class Detail:
    """All that is recorded of one attempt.

    ``stream`` is the key of its random stream, ``weights`` the iteration of the checkpoint that generated it (``None``
    where no checkpoint of the run has that digest), ``place`` its place in D+; ``left_out`` says that training left it out
    because it is near-certain.
    """

    key: RolloutKey
    observation: Observation
    hinted: bool
    response: str
    finish_reason: str
    prompt_tokens: int
    generated_tokens: int
    seconds: float
    stream: int
    checkpoint_sha256: str
    prompt_sha256: str
    created_at: datetime
    weights: int | None
    place: int | None
    left_out: bool
    code_version: str | None
    verdicts: tuple[GivenVerdict, ...]

    @property
    def selecting(self) -> GivenVerdict | None:
        """The verdict that counts."""
        return next((verdict for verdict in self.verdicts if verdict.selects), None)


def read_attempt(connection: Connection, run_id: int, dataset_id: int, key: RolloutKey) -> Detail | None:
    """Return everything about one attempt; ``None`` if there is none with this key."""
    values = {"run_id": run_id, "dataset_id": dataset_id, **key._asdict()}
    row = connection.execute(_ONE, values).one_or_none()
    if row is None:
        return None
    selecting = selecting_verifier(connection, run_id, key.iteration)
    given = connection.execute(_VERDICTS, {**values, "selecting": selecting})
    recorded = {name: getattr(row, name) for name in _RECORDED}
    return Detail(
        key,
        stored_observation(row),
        stream=to_unsigned(row.stream),
        verdicts=tuple(GivenVerdict(*verdict) for verdict in given),
        **recorded,
    )


def read_neighbours(
    connection: Connection, run_id: int, key: RolloutKey
) -> tuple[RolloutKey | None, RolloutKey | None]:
    """Return the attempts before and after this one in its iteration, by position and attempt."""
    found = []
    for statement in (_BEFORE, _AFTER):
        row = connection.execute(statement, {"run_id": run_id, **key._asdict()}).one_or_none()
        found.append(None if row is None else RolloutKey(key.iteration, *row))
    return found[0], found[1]


_RECORDED = (
    "hinted", "response", "finish_reason", "prompt_tokens", "generated_tokens", "seconds", "checkpoint_sha256",
    "prompt_sha256", "created_at", "weights", "place", "left_out", "code_version",
)  # fmt: skip
_OF_ATTEMPT = "run_id = :run_id AND iteration = :iteration AND position = :position AND attempt = :attempt"
_ONE = text(
    f"""
    SELECT o.observation_id, o.question, o.answer, o.choices, o.difficulty, o.context, r.stream, r.hinted, r.response,
           r.finish_reason, r.prompt_tokens, r.generated_tokens, r.seconds, r.checkpoint_sha256, r.prompt_sha256,
           r.created_at,
           (SELECT max(iteration) FROM checkpoints WHERE run_id = :run_id AND sha256 = r.checkpoint_sha256) AS weights,
           (SELECT place FROM training_examples WHERE {_OF_ATTEMPT}) AS place,
           EXISTS (SELECT FROM iterations, jsonb_array_elements(left_out) pair WHERE run_id = :run_id AND iteration = :iteration
                   AND pair = jsonb_build_array(r.position, r.attempt)) AS left_out,
           (SELECT code_version FROM owners WHERE run_id = :run_id AND taken_at <= r.created_at
            ORDER BY lease_epoch DESC LIMIT 1) AS code_version
    FROM (SELECT * FROM rollouts WHERE {_OF_ATTEMPT}) r
    JOIN observations o ON o.dataset_id = :dataset_id AND o.position = :position
    """
)
_VERDICTS = text(
    "SELECT verifier, outcome, extracted, found_by, reason, rationale_correct, rejected_by, rejected_because, "
    f"coalesce(verifier = :selecting, false) FROM verdicts WHERE {_OF_ATTEMPT} ORDER BY verifier"
)
_NEAR = "SELECT position, attempt FROM rollouts WHERE run_id = :run_id AND iteration = :iteration "
_BEFORE = text(
    f"{_NEAR} AND (position, attempt) < (:position, :attempt) ORDER BY position DESC, attempt DESC LIMIT 1"
)
_AFTER = text(f"{_NEAR} AND (position, attempt) > (:position, :attempt) ORDER BY position, attempt LIMIT 1")
