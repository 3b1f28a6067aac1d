"""Attempts of a run, page by page, and how far an iteration is that still samples.

A page begins after the key of the last row of the one before it, so the last page costs what the first one does.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

from adastar_core.store import tables
from adastar_core.store.browse import JUDGED_AS, Wanted, selecting_verifier
from adastar_core.store.partitions import partition

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
Kind = Wanted | Literal["trained"]
"""Which attempts of an iteration: by verdict, kept out by the rationale filter, or trained on."""


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
    verifier = selecting_verifier(connection, run_id, iteration)
    values = {"run_id": run_id, "dataset_id": dataset_id, "iteration": iteration, "verifier": verifier}
    values |= {"position": after[0], "attempt": after[1], "limit": PAGE + 1, "searched": SEARCHED}
    values["characters"] = BEGINNING
    found = connection.execute(text(_LISTED.format(driver=_DRIVERS[kind])), values)
    rows = [ListedAttempt(*row) for row in found]
    if len(rows) > PAGE:
        return rows[:PAGE], (rows[PAGE - 1].position, rows[PAGE - 1].attempt)
    end = connection.execute(_SEARCHED_TO, values).one_or_none() if kind in JUDGED_AS else None
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
    verifier = selecting_verifier(connection, run_id, iteration)
    values = {"run_id": run_id, "iteration": iteration, "verifier": verifier}
    sample = "" if share == 1 else f"TABLESAMPLE SYSTEM ({100 * share}) REPEATABLE (0)"
    row = connection.execute(text(_PROGRESS.format(sample=sample)), values).one()
    generated, judged, right, kept = (round(count / share) for count in row)
    return Progress(generated, judged, right, kept, exact=share == 1)


_IN_ITERATION = "run_id = :run_id AND iteration = :iteration AND (position, attempt) > (:position, :attempt)"
_JUDGED = f"FROM verdicts WHERE {_IN_ITERATION} AND verifier = :verifier ORDER BY position, attempt"
_DRIVERS: dict[Kind, str] = {
    "all": f"rollouts WHERE {_IN_ITERATION}",
    "trained": f"training_examples WHERE {_IN_ITERATION}",
    **{kind: f"(SELECT * {_JUDGED} LIMIT :searched) v WHERE {wanted}" for kind, wanted in JUDGED_AS.items()},
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
_PROGRESS = """
    SELECT (SELECT count(*) FROM rollouts {sample} WHERE run_id = :run_id AND iteration = :iteration), count(*),
           count(*) FILTER (WHERE outcome = 'right'),
           count(*) FILTER (WHERE outcome = 'right' AND rejected_by IS NULL)
    FROM verdicts {sample} WHERE run_id = :run_id AND iteration = :iteration AND verifier = :verifier
"""
