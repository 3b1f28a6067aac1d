"""How fast an earlier run of a model was on a machine: what the time of another one can be foretold from."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from adastar_core.machine.numerics import Numerics
from adastar_core.store.costs import MODELS


@dataclass(frozen=True, slots=True)
class RunPace:
    """The seconds that a run took for each generated token, trained token and batch of answers, of the base model and later.

    ``None`` where it had none. ``opening`` and ``models`` are its work on models (:data:`adastar_core.store.costs.MODELS`)
    before the first iteration and in each. Tokens generated beyond the last visit take time and are not counted, as in a forecast.
    What its rationales were like is told of a run of the same problem: the share of visits with an accepted one, and the
    mean tokens of all and of accepted ones. ``attempts`` is how many it made at most at a visit.
    """

    run: str
    generation: float | None
    training: float | None
    base_batch: float | None
    batch: float | None
    opening: float | None
    models: float | None
    attempts: int
    acceptance: float | None
    rationale_tokens: float | None
    accepted_tokens: float | None


def read_pace(connection: Connection, base_model: str, problem: str, here: Numerics) -> RunPace | None:
    """Return the pace of the newest run from this model whose processes all computed as ``here``; ``None`` if there is none.

    Batch size and versions of libraries may differ; ``problem`` is the type of the one that is planned.
    """
    decisive = ("processor", "threads", "generation_dtype", "training_dtype")
    values = {name: getattr(here, name) for name in decisive}
    named = {"base_model": base_model, "problem": problem, "models": MODELS}
    row = connection.execute(_NEWEST, {**named, **values}).one_or_none()
    return None if row is None else RunPace(*row)


# The answers of a batch have equal shares of its time.
_NEWEST = text(
    """
    SELECT r.name,
           (SELECT sum(seconds) / nullif(sum(generated_tokens) FILTER (WHERE stage NOT LIKE '%surplus%'), 0)
            FROM compute WHERE run_id = r.run_id AND stage LIKE 'generate%' AND stage <> 'generate probe'),
           (SELECT sum(seconds) / nullif(sum(train_tokens), 0)
            FROM compute WHERE run_id = r.run_id AND stage = 'finetune'),
           (SELECT sum(seconds) / nullif(count(DISTINCT (split, seconds)), 0)
            FROM evaluation_answers WHERE run_id = r.run_id AND iteration = 0),
           (SELECT sum(seconds) / nullif(count(DISTINCT (iteration, split, seconds)), 0)
            FROM evaluation_answers WHERE run_id = r.run_id AND iteration > 0),
           (SELECT sum(seconds) FROM compute WHERE run_id = r.run_id AND stage = :models AND iteration = 0),
           (SELECT sum(seconds) / nullif(count(*), 0) FROM compute WHERE run_id = r.run_id AND stage = :models AND iteration > 0),
           CAST(r.config ->> 'attempts' AS int), alike.acceptance, alike.rationale_tokens, alike.accepted_tokens
    FROM runs r
    LEFT JOIN LATERAL (
        SELECT (SELECT avg(CAST(accepted > 0 AS int)) FROM observation_events WHERE run_id = r.run_id)::float8 AS acceptance,
               (SELECT avg(generated_tokens) FROM rollouts WHERE run_id = r.run_id)::float8 AS rationale_tokens,
               (SELECT avg(generated_tokens) FROM training_examples
                JOIN rollouts USING (run_id, iteration, position, attempt) WHERE run_id = r.run_id)::float8 AS accepted_tokens
    ) alike ON r.config ->> 'problem.type' = :problem AND r.config ->> 'rationales' = 'model'
    WHERE r.base_model = :base_model
      AND EXISTS (SELECT FROM compute WHERE run_id = r.run_id AND stage = 'finetune')
      AND EXISTS (SELECT FROM numerics WHERE run_id = r.run_id)
      AND NOT EXISTS (
          SELECT FROM numerics n WHERE n.run_id = r.run_id
          AND (n.processor, n.threads, n.generation_dtype, n.training_dtype)
              IS DISTINCT FROM (:processor, :threads, :generation_dtype, :training_dtype)
      )
    ORDER BY r.created_at DESC LIMIT 1
    """
)
