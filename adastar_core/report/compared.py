"""What a run's accuracies are compared with, read from the store, and what its reader must be warned of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from adastar_core.records import Outcome, Split
from adastar_core.report.acceptance import ClassShare, class_shares, lopsided
from adastar_core.report.beside import beside
from adastar_core.report.cautions import cautions, no_more_than_as_sampled, one_answer
from adastar_core.report.controls import Controls, controls
from adastar_core.store.as_sampled import read_as_sampled
from adastar_core.store.classes import ClassVisits, read_class_visits
from adastar_core.store.measured import read_answered


@dataclass(frozen=True, slots=True)
class Compared:
    """The controls of every measurement of a run, and its visits by class, which only few possible answers have."""

    measured: Mapping[tuple[int, Split], Controls]
    visits: Mapping[int, Sequence[ClassVisits]]
    as_sampled: Controls | None = None
    """The base model on validation, prompted as rationales are sampled; ``None`` where evaluation prompts alike."""
    right: Mapping[int, str] = field(default_factory=dict)
    """A 1 for each validation item that was right, 0 for each other, by iteration; in the items' order."""

    def sides(self, best: int) -> tuple[Controls | None, Controls | None]:
        """Return the controls of the base model and of the selected checkpoint: on test if both are measured there."""
        tested = all((iteration, Split.TEST) in self.measured for iteration in (0, best))
        split = Split.TEST if tested else Split.VALIDATION
        return self.measured.get((0, split)), self.measured.get((best, split))

    def classes(self, iteration: int) -> tuple[ClassShare, ...]:
        return class_shares(self.visits.get(iteration, ()))

    def warnings_of(self, iteration: int) -> tuple[str, ...]:
        """Return what went wrong in an iteration: in what its checkpoint answers, or in what it was trained on."""
        return (*self._one_answer(iteration, Split.VALIDATION), *self._lopsided(iteration))

    def warnings(self, best: int) -> tuple[str, ...]:
        """Return what a reader of the run's accuracy must know: of the selected checkpoint, and of the newest iteration."""
        before, after = self.sides(best)
        split = Split.TEST if (best, Split.TEST) in self.measured else Split.VALIDATION
        found = cautions(before, after, _whose(best, split)) if before and after else []
        if self.as_sampled and (0, Split.VALIDATION) in self.measured:
            ends = (self.measured[0, Split.VALIDATION], self.measured[best, Split.VALIDATION])
            found += no_more_than_as_sampled(*ends, self.as_sampled.accuracy)
        newest = max((iteration for iteration, _ in self.measured), default=0)
        more = self._lopsided(newest) if newest == best else self.warnings_of(newest)
        return (*found, *more)

    def said(self, best: int) -> tuple[str, ...]:
        """Return what stands beside the headline: its controls, and the warnings."""
        said = beside(*self.sides(best), self.as_sampled)
        return (*([said] if said else []), *self.warnings(best))

    def _one_answer(self, iteration: int, split: Split) -> list[str]:
        measured = self.measured.get((iteration, split))
        said = one_answer(measured.overuse if measured else None, _whose(iteration, split))
        return [said] if said else []

    def _lopsided(self, iteration: int) -> list[str]:
        said = lopsided(iteration, self.classes(iteration))
        return [said] if said else []


def read_compared(connection: Connection, run_id: int) -> Compared:
    """Return what a run's answers are compared with: guessing, constant answers, and the base model as it is sampled."""
    answered = read_answered(connection, run_id)
    measured = {key: found for key, items in answered.items() if (found := controls(items))}
    closed = any(found.chance is not None for found in measured.values())
    visits = read_class_visits(connection, run_id) if closed else {}
    right = {
        iteration: "".join("1" if item.outcome is Outcome.RIGHT else "0" for item in items)
        for (iteration, split), items in answered.items()
        if split is Split.VALIDATION
    }
    return Compared(measured, visits, controls(read_as_sampled(connection, run_id)), right)


def _whose(iteration: int, split: Split) -> str:
    return f"{split} answers of {f'iteration {iteration}' if iteration else 'the base model'}"
