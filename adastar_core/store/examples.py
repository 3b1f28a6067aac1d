"""D+ of every iteration: which rationales a checkpoint was trained on, in which order."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from adastar_core.store import tables
from adastar_core.store.bulk import insert_new, join_by_hash
from adastar_core.store.rollouts import read_tokens

_COLUMNS = ("run_id", "iteration", "place", "position", "attempt", "text_sha256")


@dataclass(frozen=True, slots=True)
class ExampleKey:
    """One accepted rationale of D+: the attempt, and the digest of the text that is trained on."""

    position: int
    attempt: int
    text_sha256: str


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """One accepted rationale of D+ with its stored text, and its token ids where they are known."""

    position: int
    attempt: int
    text_sha256: str
    response: str
    tokens: tuple[int, ...]


def write_training_examples(
    connection: Connection, run_id: int, iteration: int, examples: Sequence[ExampleKey]
) -> int:
    """Store D+ in its order; return how many rows were not there yet."""
    rows = (
        (run_id, iteration, place, key.position, key.attempt, key.text_sha256)
        for place, key in enumerate(examples)
    )
    return insert_new(connection, tables.training_examples, _COLUMNS, rows)


def read_training_examples(connection: Connection, run_id: int, iteration: int) -> list[ExampleRow]:
    """Return D+ of an iteration in its order, with responses and their tokens."""
    join_by_hash(connection)
    rows = connection.execute(_EXAMPLES, {"run_id": run_id, "iteration": iteration})
    return [ExampleRow(**{**row._mapping, "tokens": read_tokens(row.tokens)}) for row in rows]


_EXAMPLES = text(
    "SELECT e.position, e.attempt, e.text_sha256, r.response, r.tokens "
    "FROM training_examples e JOIN rollouts r USING (run_id, iteration, position, attempt) "
    "WHERE e.run_id = :run_id AND e.iteration = :iteration ORDER BY e.place"
)
