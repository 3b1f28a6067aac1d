"""Which accepted rationales of an iteration are near-certain, how much of D+ they are, and which of them were left out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Certain:
    """What an iteration accepted of near-certain observations (:mod:`adastar_core.selection.certain`).

    Attributes:
        rationales: How many rationales.
        left_out: Those of them that training left out, as (position, attempt).
        share: Share of the tokens of D+ that are of the others.
    """

    rationales: int
    left_out: tuple[tuple[int, int], ...]
    share: float


def read_solved(connection: Connection, run_id: int, iteration: int) -> frozenset[int]:
    """Return the positions whose last visit before an iteration had right attempts alone."""
    return frozenset(connection.scalars(_SOLVED, {"run_id": run_id, "iteration": iteration}))


def write_certain(connection: Connection, run_id: int, iteration: int, certain: Certain) -> None:
    """Record it, in the transaction that then closes the iteration's sampling; once closed, nothing changes."""
    values = {"certain": certain.rationales, "share": certain.share, "left_out": json.dumps(certain.left_out)}
    connection.execute(_WRITE, {"run_id": run_id, "iteration": iteration, **values})


def read_certain(connection: Connection, run_id: int) -> dict[int, Certain]:
    """Return it for every iteration that has recorded it; older ones and those on the data's answers have not."""
    rows: Sequence[tuple[int, int, list[list[int]], float]]
    rows = [tuple(row) for row in connection.execute(_READ, {"run_id": run_id})]
    return {
        iteration: Certain(rationales, tuple((position, attempt) for position, attempt in pairs), share)
        for iteration, rationales, pairs, share in rows
    }


_SOLVED = text(
    "SELECT position FROM (SELECT DISTINCT ON (position) position, correct = attempts AS solved FROM observation_events "
    "WHERE run_id = :run_id AND iteration < :iteration ORDER BY position, iteration DESC) last WHERE solved"
)
_WRITE = text(
    "UPDATE iterations SET certain = :certain, certain_share = :share, left_out = CAST(:left_out AS jsonb) "
    "WHERE run_id = :run_id AND iteration = :iteration AND phase = 'sampling'"
)
_READ = text(
    "SELECT iteration, certain, left_out, certain_share FROM iterations WHERE run_id = :run_id AND certain IS NOT NULL"
)
