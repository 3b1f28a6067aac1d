"""What every stage of every iteration cost; the first record of a stage is kept unless it is removed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects.postgresql import insert

from adastar_core.compute import ModelShape, StageTokens, attention_flops
from adastar_core.store import tables

GENERATION_PAIRS = (
    "prompt_tokens::bigint * prompt_tokens + greatest(generated_tokens - 1, 0)::bigint * prompt_tokens "
    "+ greatest(generated_tokens - 1, 0)::bigint * generated_tokens / 2"
)
"""What :func:`adastar_core.compute.generation_pairs` returns, of a row that holds the two counts."""
TOKENS = ("prompt_tokens", "padded_prompt_tokens", "generated_tokens", "padded_generated_tokens")
"""What a stored response cost: columns, and fields of :class:`StageTokens`."""
TOKEN_SUMS = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in TOKENS)
MODELS = "models"
"""The stage under which loading, saving and sharing models is recorded. It costs time alone."""
_COSTS = ("flops", "padded_flops", "attention_flops", "seconds")


@dataclass(frozen=True, slots=True)
class CostRow:
    """The cost of one stage: its tokens, floating-point operations, and wall time in seconds."""

    iteration: int
    stage: str
    tokens: StageTokens
    flops: float
    padded_flops: float
    attention_flops: float
    seconds: float


def stage_tokens(row: Row[Any]) -> StageTokens:
    """Return the sums of :data:`TOKENS` and the ``attention_pairs`` in a row."""
    return StageTokens(**{name: row._mapping[name] for name in (*TOKENS, "attention_pairs")})


def write_costs(
    connection: Connection,
    run_id: int,
    iteration: int,
    stage: str,
    tokens: StageTokens,
    shape: ModelShape,
    seconds: float,
    *,
    add: bool = False,
) -> bool:
    """Record the cost of a stage of a model of this shape; return whether anything was written.

    With ``add`` it is added to what is recorded: in the transaction that stores what it paid for, so once.
    """
    sizes = (shape.parameters, shape.adapter_parameters)
    values = {
        "run_id": run_id,
        "iteration": iteration,
        "stage": stage,
        **asdict(tokens),
        "flops": float(tokens.flops(*sizes)),
        "padded_flops": float(tokens.padded_flops(*sizes)),
        "attention_flops": float(attention_flops(shape, tokens.attention_pairs)),
        "seconds": seconds,
    }
    table = tables.compute
    new = insert(table).values(values)
    sums = {name: table.c[name] + new.excluded[name] for name in (*StageTokens.__slots__, *_COSTS)}
    kept = new.on_conflict_do_nothing()
    statement = new.on_conflict_do_update(index_elements=list(table.primary_key), set_=sums) if add else kept
    return bool(connection.execute(statement).rowcount)


def remove_costs(connection: Connection, run_id: int, iteration: int, stages: Sequence[str]) -> None:
    """Remove what these stages of an iteration cost, so that it is written anew."""
    table = tables.compute
    of_iteration = (table.c.run_id == run_id) & (table.c.iteration == iteration)
    connection.execute(delete(table).where(of_iteration & table.c.stage.in_(stages)))


def read_costs(connection: Connection, run_id: int) -> list[CostRow]:
    """Return the recorded costs of a run by iteration and stage."""
    table = tables.compute
    names = ("iteration", "stage", *_COSTS, *StageTokens.__slots__)
    query = select(*(table.c[name] for name in names)).where(table.c.run_id == run_id)
    return [
        CostRow(row[0], row[1], StageTokens(*row[6:]), *row[2:6])
        for row in connection.execute(query.order_by(table.c.iteration, table.c.stage))
    ]
