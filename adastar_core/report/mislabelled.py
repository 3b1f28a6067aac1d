"""What a run did with the training observations whose reference is known to be wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from adastar_core.machine.units import percent
from adastar_core.problems.generated import GeneratedSettings
from adastar_core.runs.stored import StoredRun
from adastar_core.store.results import IterationResult


@dataclass(frozen=True, slots=True)
class Mislabelled:
    """How many of the training observations are mislabelled, and their visits and accepted rationales by iteration."""

    observations: int
    pool: int
    visited: Mapping[int, int]
    accepted: Mapping[int, int]

    def visit_share(self, row: IterationResult) -> float | None:
        """Return the share of an iteration's visits that went to them; ``None`` where there are none of them."""
        return _share(self.visited.get(row.iteration, 0), row.m) if self.observations else None

    def accepted_share(self, row: IterationResult) -> float | None:
        """Return the share of an iteration's accepted rationales that are theirs."""
        return _share(self.accepted.get(row.iteration, 0), row.accepted) if self.observations else None

    def notes(self, rows: Sequence[IterationResult]) -> list[str]:
        """Return how many are mislabelled, and what all iterations together did with them."""
        if not self.observations:
            return []
        visits = _share(sum(self.visited.values()), sum(row.m for row in rows))
        accepted = _share(sum(self.accepted.values()), sum(row.accepted for row in rows))
        wrong = "; every one of those ends in a wrong answer" if accepted else ""
        return [
            f"{self.observations:,} of {self.pool:,} training references ({percent(self.observations / self.pool)}) are wrong "
            f"on purpose (problem.wrong_references). Of the visits {_said(visits)} went to them, of the accepted rationales "
            f"{_said(accepted)}{wrong}."
        ]


def read_mislabelled(stored: StoredRun) -> Mislabelled:
    """Return what a run did with its mislabelled observations; only generated problems have any."""
    settings = stored.config.problem
    if not isinstance(settings, GeneratedSettings) or not settings.wrong_references:
        return Mislabelled(0, 0, {}, {})
    wrong = [place for place, one in enumerate(stored.train) if settings.is_mislabelled(one)]
    visits = stored.read(_read_visits, wrong)
    return Mislabelled(
        len(wrong),
        len(stored.train),
        {iteration: visited for iteration, (visited, _) in visits.items()},
        {iteration: accepted for iteration, (_, accepted) in visits.items()},
    )


def _read_visits(connection: Connection, run_id: int, positions: list[int]) -> dict[int, tuple[int, int]]:
    """Return visits and accepted rationales of these observations by iteration."""
    rows = connection.execute(_VISITS, {"run_id": run_id, "positions": positions})
    return {iteration: (visited, accepted) for iteration, visited, accepted in rows}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _said(share: float | None) -> str:
    return "none" if share is None else percent(share)


_VISITS = text(
    "SELECT iteration, count(*), sum(accepted) FROM observation_events "
    "WHERE run_id = :run_id AND position = ANY(:positions) GROUP BY iteration"
)
