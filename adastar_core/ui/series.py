"""What the curves of runs are drawn from, and what a checkpoint was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import Connection, text

from adastar_core.records import Accuracy
from adastar_core.ui.attempts import BEGINNING, PAGE


@dataclass(frozen=True, slots=True)
class Measured:
    """A run's validation accuracy after an iteration, and the FLOPs that it had spent by then, without evaluation."""

    iteration: int
    accuracy: Accuracy
    flops: float


def read_measured(connection: Connection, run_ids: Sequence[int]) -> dict[int, list[Measured]]:
    """Return the validation accuracies of runs, by run and in order of iteration; 0 is the base model."""
    spent: dict[int, dict[int, float]] = {}
    for run_id, iteration, flops in connection.execute(_SPENT, {"runs": list(run_ids)}):
        spent.setdefault(run_id, {})[iteration] = flops
    measured: dict[int, list[Measured]] = {run_id: [] for run_id in run_ids}
    for run_id, costs in spent.items():
        spent[run_id] = dict(zip(costs, accumulate(costs.values()), strict=True))
    for run_id, iteration, correct, total in connection.execute(_VALIDATION, {"runs": list(run_ids)}):
        before = [flops for number, flops in spent.get(run_id, {}).items() if number <= iteration]
        total_flops = before[-1] if before else 0.0
        measured[run_id].append(Measured(iteration, Accuracy(correct, total), total_flops))
    return measured


@dataclass(frozen=True, slots=True)
class ListedExample:
    """A rationale that was trained on, as a line of a list."""

    place: int
    position: int
    attempt: int
    observation_id: str
    hinted: bool
    begins: str
    extracted: str | None


def read_examples(
    connection: Connection, run_id: int, dataset_id: int, iteration: int, after: int
) -> list[ListedExample]:
    """Return a page of D+ in its order and one more if there is a next page.

    ``after`` is the place of the last row before the page; -1 for the first page.
    """
    values = {"run_id": run_id, "dataset_id": dataset_id, "iteration": iteration, "after": after}
    rows = connection.execute(_EXAMPLES, {**values, "limit": PAGE + 1, "characters": BEGINNING})
    return [ListedExample(*row) for row in rows]


_SPENT = text(
    "SELECT run_id, iteration, sum(flops) FROM compute WHERE run_id = ANY(:runs) AND stage NOT LIKE 'evaluate%' "
    "GROUP BY run_id, iteration ORDER BY run_id, iteration"
)
_VALIDATION = text(
    "SELECT run_id, iteration, correct, total FROM evaluations WHERE run_id = ANY(:runs) AND split = 'validation' "
    "ORDER BY run_id, iteration"
)
_EXAMPLES = text(
    """
    WITH chosen AS MATERIALIZED (
        SELECT place, position, attempt FROM training_examples
        WHERE run_id = :run_id AND iteration = :iteration AND place > :after ORDER BY place LIMIT :limit
    )
    SELECT chosen.place, chosen.position, chosen.attempt, o.observation_id, r.hinted, left(r.response, :characters), v.extracted
    FROM chosen
    JOIN rollouts r ON r.run_id = :run_id AND r.iteration = :iteration AND r.position = chosen.position
                   AND r.attempt = chosen.attempt
    JOIN observations o ON o.dataset_id = :dataset_id AND o.position = chosen.position
    JOIN iterations i ON i.run_id = :run_id AND i.iteration = :iteration
    LEFT JOIN LATERAL (
        SELECT extracted FROM verdicts
        WHERE run_id = :run_id AND iteration = :iteration AND position = chosen.position
          AND attempt = chosen.attempt AND verifier = coalesce(i.verifier, verifier) LIMIT 1
    ) v ON true
    ORDER BY chosen.place
    """
)
