"""Attempts of a run, page by page, and everything that is recorded of one.

A page begins after the key of the last row of the one before it, so the last page costs what the first one does.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, text

from adastar_core.records import Observation
from adastar_core.store import tables
from adastar_core.store.observations import stored_observation
from adastar_core.store.partitions import partition
from adastar_core.store.rollouts import to_unsigned

PAGE = 50
"""Rows of a page."""
BEGINNING = 400
"""Characters of a response in a list."""
BESIDE = 20_000
"""Characters of a response beside those of another iteration."""
SEARCHED = 300_000
"""Verdicts that are searched for the rows of one page."""
_COUNTED = 100_000
"""Rows of a table that are counted one by one; of more a sample is."""
Kind = Literal["all", "right", "wrong", "undecided", "rejected", "trained"]
"""Which attempts of an iteration: by verdict, kept out by the rationale filter, or trained on."""


class Key(NamedTuple):
    """An attempt within a run."""

    iteration: int
    position: int
    attempt: int


@dataclass(frozen=True, slots=True)
class ListedAttempt:
    """An attempt as a line of a list; ``begins`` is the beginning of its response, of so many ``characters``.

    ``outcome`` and what follows are those of the verifier that selects. ``place`` is the place in D+, ``None`` outside.
    """

    iteration: int
    position: int
    attempt: int
    observation_id: str
    hinted: bool
    begins: str
    characters: int
    outcome: str | None
    extracted: str | None
    reason: str | None
    rejected_by: str | None
    place: int | None


def read_attempts(
    connection: Connection, run_id: int, dataset_id: int, iteration: int, kind: Kind, after: tuple[int, int]
) -> tuple[list[ListedAttempt], tuple[int, int] | None]:
    """Return a page of an iteration's attempts by position and attempt, and after which of them the next page begins.

    ``after`` are position and attempt of the last row before the page; (-1, 0) for the first page. A page of a kind that
    hardly occurs may be short, or empty, and yet not the last one: it ends where enough verdicts were searched.
    """
    verifier = _selecting_verifier(connection, run_id, iteration)
    values = {"run_id": run_id, "dataset_id": dataset_id, "iteration": iteration, "verifier": verifier}
    values |= {"position": after[0], "attempt": after[1], "limit": PAGE + 1, "searched": SEARCHED}
    values["characters"] = BEGINNING
    found = connection.execute(text(_LISTED.format(driver=_DRIVERS[kind])), values)
    rows = [ListedAttempt(*row) for row in found]
    if len(rows) > PAGE:
        return rows[:PAGE], (rows[PAGE - 1].position, rows[PAGE - 1].attempt)
    end = connection.execute(_SEARCHED_TO, values).one_or_none() if kind in _JUDGED_AS else None
    return rows, None if end is None else (end.position, end.attempt)


def read_attempts_at(
    connection: Connection,
    run_id: int,
    dataset_id: int,
    position: int,
    before: tuple[int, int] | None = None,
    *,
    only: int | None = None,
) -> list[ListedAttempt]:
    """Return a page of the attempts at one observation and one more, the newest iteration first.

    ``before`` are iteration and attempt of the last row before the page, ``only`` is the one iteration to read, with
    more of the responses.
    """
    iteration, attempt = before or (2**31 - 1, 0)
    if only is not None:
        iteration, attempt = only, -1
    values = {"run_id": run_id, "dataset_id": dataset_id, "position": position, "limit": PAGE + 1}
    values |= {"iteration": iteration, "attempt": attempt, "least": 0 if only is None else only}
    values["characters"] = BEGINNING if only is None else BESIDE
    return [ListedAttempt(*row) for row in connection.execute(_AT, values)]


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
    where no checkpoint of the run has that digest), ``place`` its place in D+.
    """

    key: Key
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
    code_version: str | None
    verdicts: tuple[GivenVerdict, ...]

    @property
    def selecting(self) -> GivenVerdict | None:
        """The verdict that counts."""
        return next((verdict for verdict in self.verdicts if verdict.selects), None)


def read_attempt(connection: Connection, run_id: int, dataset_id: int, key: Key) -> Detail | None:
    """Return everything about one attempt; ``None`` if there is none with this key."""
    values = {"run_id": run_id, "dataset_id": dataset_id, **key._asdict()}
    row = connection.execute(_ONE, values).one_or_none()
    if row is None:
        return None
    selecting = _selecting_verifier(connection, run_id, key.iteration)
    given = connection.execute(_VERDICTS, {**values, "selecting": selecting})
    recorded = {name: getattr(row, name) for name in _RECORDED}
    return Detail(
        key,
        stored_observation(row),
        stream=to_unsigned(row.stream),
        verdicts=tuple(GivenVerdict(*verdict) for verdict in given),
        **recorded,
    )


def read_neighbours(connection: Connection, run_id: int, key: Key) -> tuple[Key | None, Key | None]:
    """Return the attempts before and after this one in its iteration, by position and attempt."""
    found = []
    for statement in (_BEFORE, _AFTER):
        row = connection.execute(statement, {"run_id": run_id, **key._asdict()}).one_or_none()
        found.append(None if row is None else Key(key.iteration, *row))
    return found[0], found[1]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an iteration is that still samples: attempts stored, judged, right, and right and kept.

    ``exact`` is false where they are estimates from a part of very many.
    """

    generated: int
    judged: int
    right: int
    kept: int
    exact: bool


def read_progress(connection: Connection, run_id: int, iteration: int) -> Progress:
    """Return how far an iteration is, in about the same time however large the run is."""
    name = partition(tables.rollouts, run_id)
    stored = connection.scalar(
        text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)"), {"name": name}
    )
    share = min(1.0, _COUNTED / max(float(stored or 0), 1.0))
    verifier = _selecting_verifier(connection, run_id, iteration)
    values = {"run_id": run_id, "iteration": iteration, "verifier": verifier}
    sample = "" if share == 1 else f"TABLESAMPLE SYSTEM ({100 * share}) REPEATABLE (0)"
    row = connection.execute(text(_PROGRESS.format(sample=sample)), values).one()
    generated, judged, right, kept = (round(count / share) for count in row)
    return Progress(generated, judged, right, kept, exact=share == 1)


def _selecting_verifier(connection: Connection, run_id: int, iteration: int) -> str | None:
    """Return the verifier whose verdicts count in an iteration; any where an old version did not record it."""
    found: str | None = connection.scalar(_VERIFIER, {"run_id": run_id, "iteration": iteration})
    return found


_VERIFIER = text(
    "SELECT coalesce((SELECT verifier FROM iterations WHERE run_id = :run_id AND iteration = :iteration), "
    "(SELECT verifier FROM verdicts WHERE run_id = :run_id AND iteration = :iteration "
    "ORDER BY position, attempt LIMIT 1))"
)
_IN_ITERATION = "run_id = :run_id AND iteration = :iteration AND (position, attempt) > (:position, :attempt)"
_JUDGED = f"FROM verdicts WHERE {_IN_ITERATION} AND verifier = :verifier ORDER BY position, attempt"
_JUDGED_AS: dict[Kind, str] = {
    "right": "outcome = 'right'",
    "wrong": "outcome = 'wrong'",
    "undecided": "outcome = 'undecided'",
    "rejected": "rejected_by IS NOT NULL",
}
_DRIVERS: dict[Kind, str] = {
    "all": f"rollouts WHERE {_IN_ITERATION}",
    "trained": f"training_examples WHERE {_IN_ITERATION}",
    **{kind: f"(SELECT * {_JUDGED} LIMIT :searched) v WHERE {wanted}" for kind, wanted in _JUDGED_AS.items()},
}
_SEARCHED_TO = text(f"SELECT position, attempt {_JUDGED} OFFSET :searched - 1 LIMIT 1")
_COLUMNS = (
    "r.iteration, r.position, r.attempt, o.observation_id, r.hinted, left(r.response, :characters), length(r.response), "
    "v.outcome, v.extracted, v.reason, v.rejected_by, e.place"
)
# The keys of the page are found first, in the order of a primary key; all else is looked up for these few.
_LISTED = f"""
    WITH chosen AS MATERIALIZED (
        SELECT position, attempt FROM {{driver}} ORDER BY position, attempt LIMIT :limit
    )
    SELECT {_COLUMNS} FROM chosen
    JOIN rollouts r ON r.run_id = :run_id AND r.iteration = :iteration AND r.position = chosen.position
                   AND r.attempt = chosen.attempt
    JOIN observations o ON o.dataset_id = :dataset_id AND o.position = chosen.position
    LEFT JOIN verdicts v ON v.run_id = :run_id AND v.iteration = :iteration AND v.position = chosen.position
                        AND v.attempt = chosen.attempt AND v.verifier = :verifier
    LEFT JOIN training_examples e ON e.run_id = :run_id AND e.iteration = :iteration
                                 AND e.position = chosen.position AND e.attempt = chosen.attempt
    ORDER BY chosen.position, chosen.attempt
"""
_AT = text(
    f"""
    WITH chosen AS MATERIALIZED (
        SELECT i.iteration, i.verifier, found.attempt FROM iterations i
        CROSS JOIN LATERAL (
            SELECT attempt FROM rollouts
            WHERE run_id = :run_id AND iteration = i.iteration AND position = :position
            ORDER BY attempt LIMIT :limit
        ) found
        WHERE i.run_id = :run_id AND i.iteration BETWEEN :least AND :iteration
          AND (i.iteration < :iteration OR found.attempt > :attempt)
        ORDER BY i.iteration DESC, found.attempt LIMIT :limit
    )
    SELECT {_COLUMNS} FROM chosen
    JOIN rollouts r ON r.run_id = :run_id AND r.iteration = chosen.iteration AND r.position = :position
                   AND r.attempt = chosen.attempt
    JOIN observations o ON o.dataset_id = :dataset_id AND o.position = :position
    LEFT JOIN LATERAL (
        SELECT outcome, extracted, reason, rejected_by FROM verdicts
        WHERE run_id = :run_id AND iteration = chosen.iteration AND position = :position
          AND attempt = chosen.attempt AND verifier = coalesce(chosen.verifier, verifier) LIMIT 1
    ) v ON true
    LEFT JOIN training_examples e ON e.run_id = :run_id AND e.iteration = chosen.iteration
                                 AND e.position = :position AND e.attempt = chosen.attempt
    ORDER BY chosen.iteration DESC, chosen.attempt
    """
)
_RECORDED = (
    "hinted", "response", "finish_reason", "prompt_tokens", "generated_tokens", "seconds", "checkpoint_sha256",
    "prompt_sha256", "created_at", "weights", "place", "code_version",
)  # fmt: skip
_OF_ATTEMPT = "run_id = :run_id AND iteration = :iteration AND position = :position AND attempt = :attempt"
_ONE = text(
    f"""
    SELECT o.observation_id, o.question, o.answer, o.choices, o.difficulty, o.context, r.stream, r.hinted, r.response,
           r.finish_reason, r.prompt_tokens, r.generated_tokens, r.seconds, r.checkpoint_sha256, r.prompt_sha256,
           r.created_at,
           (SELECT max(iteration) FROM checkpoints WHERE run_id = :run_id AND sha256 = r.checkpoint_sha256) AS weights,
           (SELECT place FROM training_examples WHERE {_OF_ATTEMPT}) AS place,
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
_PROGRESS = """
    SELECT (SELECT count(*) FROM rollouts {sample} WHERE run_id = :run_id AND iteration = :iteration), count(*),
           count(*) FILTER (WHERE outcome = 'right'),
           count(*) FILTER (WHERE outcome = 'right' AND rejected_by IS NULL)
    FROM verdicts {sample} WHERE run_id = :run_id AND iteration = :iteration AND verifier = :verifier
"""
