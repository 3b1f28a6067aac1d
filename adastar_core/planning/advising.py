"""Advice on a stored run: what its first iteration says, the method that suits it, and that in words."""

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, text

from adastar_core.compute import pflops
from adastar_core.config import RunConfig
from adastar_core.errors import UserError
from adastar_core.machine.units import percent
from adastar_core.planning.advice import PAYS, Advice, Counts, Sampled
from adastar_core.runs.stored import StoredRun
from adastar_core.store.costs import read_costs
from adastar_core.store.iterations import find_iteration

_WORTH_RETURNING = 0.25
_PASSES = 2


def read_sampled(stored: StoredRun, planned: RunConfig | None = None) -> Sampled:
    """Return a run's first iteration; of a pass through the whole pool the visits that reach beta_t.

    ``planned`` is the run whose iterations and budget count, if it is another one.

    Raises:
        UserError: It has not trained yet, the run samples nothing, or its first iteration is no fair sample of the pool.
    """
    config = stored.config
    if config.rationales != "model":
        raise UserError(f"Run {stored.run.name!r} trains on references, so it tells nothing of sampling.")
    if not config.sampler.begins_at_random:
        raise UserError(
            f"Run {stored.run.name!r} chose its first visits (sampler {config.sampler.type}), so they are no fair sample of the "
            "pool. Advise on a run with another order, such as --set method=adastar --set iterations=1."
        )
    first = stored.read(find_iteration, 1)
    if first is None or not has_trained(stored):
        raise UserError(
            f"Run {stored.run.name!r} has trained in no iteration yet. Wait for its first one, or resume the run."
        )
    positions, attempts, right, accepted = (
        np.array(column, dtype=np.int64) for column in zip(*stored.read(_read_visits), strict=True)
    )
    costs = [row for row in stored.read(read_costs) if row.iteration == 1 and "surplus" not in row.stage]
    generation = sum(row.flops for row in costs if row.stage.startswith("generate"))
    training = sum(row.flops for row in costs if row.stage == "finetune")
    train, made = stored.train, len(positions)
    stops = config.attempt_mode == "until_correct"
    wanted = np.minimum(right, 1) if stops else right
    end = made if config.schedule.visit == "until_beta" else _reaching(first.beta, wanted)
    most_attempts = config.attempts
    if config.rationalize:  # the answer was shown in every attempt but the first
        attempts, right, most_attempts = np.ones_like(attempts), np.where(attempts == 1, right, 0), 1
    kept = int((accepted if end == made else wanted[:end]).sum())
    visit, trained = generation / made, training / max(1, int(accepted.sum()))
    return Sampled(
        questions=[train[position].question for position in positions[:end]],
        attempts=attempts[:end],
        right=right[:end],
        accepted=kept,
        most_attempts=most_attempts,
        pool=len(train),
        iterations=_iterations(planned or config, visit * end + trained * kept),
        generation=visit,
        training=trained,
        stops=stops,
    )


def _reaching(beta: int, accepted: Counts) -> int:
    """Return after how many visits of a pass through the whole pool beta_t rationales are accepted."""
    return min(len(accepted), int(np.searchsorted(np.cumsum(accepted), beta)) + 1)


def has_trained(stored: StoredRun) -> bool:
    """Return whether a run's first iteration has been sampled and trained, so that its costs are known."""
    first = stored.read(find_iteration, 1)
    return first is not None and first.phase in ("trained", "advanced")


def _iterations(config: RunConfig, flops: float) -> float:
    """Return how many iterations a run may have if each costs ``flops``, as the first did, by its budget too."""
    if config.budget_pflops is None or not flops:
        return config.iterations
    return min(config.iterations, config.budget_pflops / pflops(flops))


def _read_visits(connection: Connection, run_id: int) -> Sequence[Sequence[int]]:
    return [tuple(row) for row in connection.execute(_VISITS, {"run_id": run_id})]


def tells_of(made: RunConfig, other: RunConfig) -> bool:
    """Return whether the first iteration of a run that was made tells of another one: it asks the same in the same way."""
    return made.sampler.begins_at_random and _asked(made) == _asked(other)


def _asked(config: RunConfig) -> tuple[object, ...]:
    generator = config.generator
    asked = (
        config.problem,
        config.model,
        config.attempts,
        config.attempt_mode,
        config.rationalize,
        config.rationales,
    )
    return (*asked, generator.temperature, generator.top_p, generator.max_new_tokens)


def method_for(sampled: Sampled, advice: Advice) -> str:
    """Return the method that suits the problem, by name."""
    if advice.by_question is not None and advice.by_question[1] > PAYS:
        return "frontier"
    returns = advice.at_best is not None and advice.at_best > _WORTH_RETURNING and sampled.passes >= _PASSES
    return "thompson" if returns else "adastar"


def advice_lines(sampled: Sampled, advice: Advice) -> list[str]:
    """Return the advice for people, the method last."""
    return [
        f"The first iteration reached beta_t, or the pool's end, after {sampled.visited:,} of {sampled.pool:,} observations; "
        f"{percent(advice.solved)} of their attempts without a hint were right. What follows are shares of compute.",
        _lazy_line(advice),
        *_order_lines(sampled, advice),
        _method_line(sampled, advice),
        "How sure: what an order saves is told in p(1 - p) per FLOP of the first iteration, which stands for what training "
        "can teach. It is not accuracy, and the model changes. docs/methods.md compares such advice with what came out.",
    ]


def _lazy_line(advice: Advice) -> str:
    if advice.lazy < PAYS:
        return (
            f"Stopping at beta_t: leaves out {percent(advice.lazy)} of a pass through the pool, which is next to nothing. "
            "Take a smaller schedule.first_steps or more training data."
        )
    return f"Stopping at beta_t: leaves out {percent(advice.lazy)} of a pass through the pool before the model is updated."


def _order_lines(sampled: Sampled, advice: Advice) -> list[str]:
    if advice.near_certain is None:
        return [f"Order and thinning: nothing can be said of them, because {_untold(sampled, advice)}."]
    thinning = (
        f"Thinning: training on what is solved nine times of ten takes {percent(advice.near_certain)}, which `trainer.thin` "
        "would leave out in part."
    )
    if advice.by_question is None or advice.at_best is None:
        return ["Order: it can save nothing, because the iteration needs the whole pool.", thinning]
    saved, low, high = advice.by_question
    return [
        f"Order, by the question's words: saves {percent(saved)} (95 % interval {percent(low)} to {percent(high)}).",
        f"Order, if it knew every success rate: saves {percent(advice.at_best)}. No order is expected to save more. One that learns from "
        f"visits has at most {sampled.passes:.1f} passes through the pool to come near it.",
        thinning,
    ]


def _untold(sampled: Sampled, advice: Advice) -> str:
    if advice.solved in (0.0, 1.0):
        return f"{'every' if advice.solved else 'no'} attempt was right"
    if sampled.most_attempts == 1:
        return (
            "one attempt without a hint at a visit (attempts: 1, or rationalize: true) does not tell what is solved now "
            "and then from what always is"
        )
    return f"{sampled.visited} visits are too few"


def _method_line(sampled: Sampled, advice: Advice) -> str:
    method = method_for(sampled, advice)
    if advice.by_question is None:
        return f"Method: {method} (--set method={method}), the default, because nothing speaks for another order."
    why = {
        "frontier": "the words of a question tell enough of its difficulty to choose by them.",
        "thompson": "words tell too little, and each observation comes up often enough to learn from its visits.",
        "adastar": "no order is expected to save much here, so the published one, which is the default, will do.",
    }
    return f"Method: {method} (--set method={method}), because {why[method]}"


_VISITS = text(
    "SELECT position, attempts, correct, accepted FROM observation_events WHERE run_id = :run_id AND iteration = 1 "
    "AND attempts > 0 ORDER BY rank"
)
