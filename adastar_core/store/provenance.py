"""Where every training example comes from: its observation, attempt, random stream, checkpoint and verdicts."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from adastar_core.machine.starter import Starter
from adastar_core.store.bulk import join_by_hash
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoint
from adastar_core.store.rollouts import read_tokens, to_unsigned
from adastar_core.store.spool import Spool, spooled

STREAMED = {"stream_results": True, "yield_per": 2_000}
"""Execution options under which few rows of a large result are in memory at once."""


@dataclass(frozen=True, slots=True)
class GivenVerdict:
    """What one version of a verifier says of a rationale."""

    verifier: str
    outcome: str
    extracted: str | None
    reason: str
    rationale_correct: bool | None
    rejected_by: str | None

    @property
    def accepts(self) -> bool:
        """Whether the rationale may be trained on: the answer is right and no rule of the filter keeps it out."""
        return self.outcome == "right" and self.rejected_by is None


@dataclass(frozen=True, slots=True)
class Provenance:
    """One rationale that was trained on, and all that led to it.

    Attributes:
        place: Zero-based place in D+.
        stream: Key of the attempt's random stream, an unsigned 64-bit number.
        tokens: The response's ids as generated, with the end; empty where unknown or removed.
        text_sha256: Digest of the training text; ``prompt_sha256`` is that of the generation prompt.
        code_version: The code that stored it; ``None`` for runs of old versions of the code.
        started_by: Who started the process that stored it; ``None`` likewise.
        selected_by: The verifier whose verdicts selected; ``None`` for iterations of old versions of the code.
        verdicts: By version of the verifier.
    """

    iteration: int
    place: int
    position: int
    observation_id: str
    question: str
    answer: str
    attempt: int
    hinted: bool
    stream: int
    finish_reason: str
    response: str
    tokens: tuple[int, ...]
    checkpoint_sha256: str
    prompt_sha256: str
    text_sha256: str
    code_version: str | None
    started_by: str | None
    selected_by: str | None
    verdicts: tuple[GivenVerdict, ...]

    @property
    def accepting(self) -> GivenVerdict | None:
        """The verdict by which it was accepted: the selecting verifier's, or any where that is not recorded."""
        accepting = (verdict for verdict in self.verdicts if verdict.accepts)
        return next((found for found in accepting if self.selected_by in (None, found.verifier)), None)


def read_provenance(
    engine: Engine, run_id: int, dataset_id: int, iterations: Sequence[int]
) -> Iterator[Provenance]:
    """Yield what the given iterations trained on, in their order and then D+'s; few rows are in memory at once.

    All are read before the first is yielded, so a slow consumer keeps no transaction open.
    """
    with ExitStack() as kept:
        with engine.connect() as connection:
            spool = kept.enter_context(spooled_provenance(connection, run_id, dataset_id, iterations))
        yield from spool


@contextmanager
def spooled_provenance(
    connection: Connection, run_id: int, dataset_id: int, iterations: Sequence[int]
) -> Iterator[Spool[Provenance]]:
    """Spool what the given iterations trained on, in the order of :func:`read_provenance`."""
    join_by_hash(connection)
    keys = ({"run_id": run_id, "dataset_id": dataset_id, "iteration": number} for number in iterations)
    rows = (row for key in keys for row in connection.execute(_EXAMPLES, key, execution_options=STREAMED))
    with spooled(rows, _provenance) as spool:
        yield spool


def _provenance(values: list[Any]) -> Provenance:
    """Return a row of :data:`_EXAMPLES`, whose columns are in the order of the fields."""
    fields = dict(zip(Provenance.__slots__, values, strict=True))
    fields["stream"] = to_unsigned(fields["stream"])
    fields["tokens"] = read_tokens(fields["tokens"] and bytes.fromhex(fields["tokens"]))
    fields["verdicts"] = tuple(GivenVerdict(**verdict) for verdict in fields["verdicts"] or ())
    return Provenance(**fields)


def read_ancestors(connection: Connection, run_id: int, iteration: int, folder: Path) -> list[CheckpointRow]:
    """Return a checkpoint and those that its training started from, back to the base model."""
    chain = [read_checkpoint(connection, run_id, iteration, folder)]
    while (parent := chain[-1].parent_iteration) is not None:
        chain.append(read_checkpoint(connection, run_id, parent, folder))
    return chain


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that took a run over, and worked on it from ``taken_at`` until ``seen_at``, when it last wrote.

    ``started_by``, ``deployment`` and ``flow_run`` are those of its :class:`~adastar_core.machine.starter.Starter`.
    """

    lease_epoch: int
    owner: str
    code_version: str
    taken_at: datetime
    seen_at: datetime
    started_by: str | None
    deployment: str | None
    flow_run: str | None

    @property
    def starter(self) -> Starter:
        return Starter(self.started_by, self.deployment, self.flow_run)


def read_owners(connection: Connection, run_id: int) -> list[Owner]:
    """Return every process that took the run over, the first one first."""
    query = text(
        "SELECT lease_epoch, owner, code_version, taken_at, seen_at, started_by, deployment, flow_run FROM owners "
        "WHERE run_id = :run_id ORDER BY lease_epoch"
    )
    return [Owner(**row._mapping) for row in connection.execute(query, {"run_id": run_id})]


def read_wall_seconds(connection: Connection, run_id: int) -> float | None:
    """Return the run's wall time over all of its processes; ``None`` where no owner is recorded (before 0.1).

    A process counts from its take-over to its last write, by the database's clock. If it is killed, the time after its last
    write is lost; about a minute where it trained.
    """
    query = text(f"SELECT {WALL_SECONDS} FROM owners WHERE run_id = :run_id")
    seconds: float | None = connection.scalar(query, {"run_id": run_id})
    return seconds


WALL_SECONDS = "CAST(sum(greatest(extract(epoch FROM seen_at - taken_at), 0)) AS double precision)"
"""The wall time of the owners that a query groups."""


def find_checkpoints(connection: Connection, digest: str) -> list[tuple[str, int]]:
    """Return (run name, iteration) of every recorded checkpoint whose digest begins like this."""
    query = text(
        "SELECT name, iteration FROM checkpoints JOIN runs USING (run_id) WHERE starts_with(sha256, :digest) "
        "ORDER BY run_id, iteration"
    )
    return [(row.name, row.iteration) for row in connection.execute(query, {"digest": digest})]


@dataclass(frozen=True, slots=True)
class BaseModel:
    """What a run started from: the model as it was named, and its directory then."""

    run: str
    named: str
    path: str


def read_base_models(connection: Connection, run_id: int) -> list[BaseModel]:
    """Return what every other run started from."""
    query = text(
        "SELECT name, base_model, path FROM checkpoints JOIN runs USING (run_id) WHERE iteration = 0 AND run_id <> :run_id"
    )
    return [BaseModel(*row) for row in connection.execute(query, {"run_id": run_id})]


_EXAMPLES = text(
    """
    SELECT e.iteration, e.place, e.position, o.observation_id, o.question, o.answer, e.attempt, r.hinted, r.stream,
           r.finish_reason, r.response, encode(r.tokens, 'hex') AS tokens, r.checkpoint_sha256, r.prompt_sha256, e.text_sha256,
           w.code_version, w.started_by, i.verifier AS selected_by, v.verdicts
    FROM training_examples e
    JOIN rollouts r ON r.run_id = e.run_id AND r.iteration = e.iteration AND r.position = e.position
                   AND r.attempt = e.attempt
    JOIN observations o ON o.dataset_id = :dataset_id AND o.position = e.position
    JOIN iterations i ON i.run_id = e.run_id AND i.iteration = e.iteration
    LEFT JOIN LATERAL (
        SELECT code_version, nullif(concat_ws(', ', started_by, 'deployment ' || deployment, 'flow run ' || flow_run), '')
               AS started_by
        FROM owners WHERE run_id = e.run_id AND taken_at <= r.created_at
        ORDER BY lease_epoch DESC LIMIT 1
    ) w ON true
    LEFT JOIN (
        SELECT position, attempt, json_agg(json_build_object('verifier', verifier, 'outcome', outcome,
               'extracted', extracted, 'reason', reason, 'rationale_correct', rationale_correct,
               'rejected_by', rejected_by) ORDER BY verifier)
               AS verdicts
        FROM verdicts WHERE run_id = :run_id AND iteration = :iteration GROUP BY position, attempt
    ) v ON v.position = e.position AND v.attempt = e.attempt
    WHERE e.run_id = :run_id AND e.iteration = :iteration ORDER BY e.place
    """
)
