"""From rows to splits: every reference is read by the verifier, parts are carved, repeats and overlap are counted."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from adastar_core.errors import DataError
from adastar_core.problems.ids import named
from adastar_core.problems.overlap import Overlap, overlap
from adastar_core.problems.references import is_reference, unreadable
from adastar_core.problems.repeats import Repeats, find_repeats, spelling
from adastar_core.problems.rows import Row, each
from adastar_core.problems.settings import SplitSettings
from adastar_core.problems.splits import carve, limit
from adastar_core.records import Observation, Split
from adastar_core.shingles import tokens
from adastar_core.verifiers import Verifier

RowReader = Callable[[Row], Observation]
"""Makes an observation of a row; its id is empty where the data have none."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    splits: dict[Split, list[Observation]]
    everything: list[Observation]
    overlap: Overlap
    notes: tuple[str, ...]


class RowProblem(ABC):
    """The base of every problem whose data are rows. The data are read once, when they are first asked for."""

    remedy = ""
    """What else may be done about references that cannot be read than to fix them, for the message."""

    def __init__(self, name: str, settings: SplitSettings, verifier: Verifier) -> None:
        self.name = name
        self.settings = settings
        self.verifier = verifier

    @abstractmethod
    def rows(self) -> Mapping[Split, Sequence[Row]]:
        """Return the rows of every part that there is; the training part always is.

        Raises:
            DataError: A part is missing, or a row is broken (named by its number).
        """

    @abstractmethod
    def row_reader(self, rows: Sequence[Row]) -> RowReader:
        """Return what makes an observation of one of these rows, which are all that there are.

        Raises:
            DataError: A row lacks a field, or its answer cannot be read; the reader raises it too.
        """

    def load(self, split: Split) -> Sequence[Observation]:
        return self._loaded.splits[split]

    def everything(self) -> Sequence[Observation]:
        """Return the observations of all parts, also those that limits, overlap or contradictions keep out of the splits."""
        return self._loaded.everything

    @property
    def overlap(self) -> Overlap:
        """How many training questions the test part repeats."""
        return self._loaded.overlap

    @property
    def notes(self) -> tuple[str, ...]:
        return self._loaded.notes

    def reader(self, rows: Sequence[Row]) -> RowReader:
        """Return :meth:`row_reader`'s, which also refuses references that the verifier cannot read."""
        read = self.row_reader(rows)

        def readable(row: Row) -> Observation:
            observation = read(row)
            if not self.is_readable(row, observation):
                raise self.unreadable([(row, observation)], 1)
            return observation

        return readable

    def is_readable(self, row: Row, observation: Observation) -> bool:  # noqa: ARG002 (for problems that look at it)
        """Return whether the verifier finds the reference right when a response gives it."""
        return is_reference(self.verifier, observation, self.verifier.declare(observation))

    def unreadable(self, rows: Sequence[tuple[Row, Observation]], count: int) -> DataError:
        return unreadable(self.verifier, rows, count, self.remedy)

    @cached_property
    def _loaded(self) -> _Loaded:
        settings = self.settings
        parts, repeats = self._read(self.rows())
        # nobody can be right about a question with two answers, so it measures nothing
        unmeasurable = repeats.unmeasurable()

        def carved(purpose: str, share: float) -> tuple[list[Observation], list[Observation]]:
            stay, taken = carve(train, purpose, share)
            return stay, [observation for observation in taken if spelling(observation) not in unmeasurable]

        train, test = parts[Split.TRAIN], parts.get(Split.TEST)
        if test is None:
            train, test = carved("test", settings.test_share)
        found = overlap(train, test, dropped=settings.drop_overlap)
        if settings.drop_overlap:
            repeated = set(found.observation_ids)
            train = [observation for observation in train if observation.observation_id not in repeated]
        validation = parts.get(Split.VALIDATION)
        selecting = Overlap(0, 0, False, ()) if validation is None else overlap(train, validation)
        if validation is None:
            train, validation = carved("validation", settings.validation_share)
        splits = {
            Split.TRAIN: limit(train, settings.train_limit),
            Split.VALIDATION: limit(validation, settings.validation_limit),
            Split.TEST: limit(test, settings.test_limit),
        }
        for split, observations in splits.items():
            if not observations:
                larger = "" if split is Split.TRAIN else f" or a larger problem.{split}_share"
                raise DataError(f"{self.name}: the {split} part has no observations. Give more data{larger}.")
        everything = [observation for part in parts.values() for observation in part]
        notes = (*repeats.notes(), *found.notes(Split.TEST), *selecting.notes(Split.VALIDATION))
        return _Loaded(splits, everything, found, notes)

    def _read(self, rows: Mapping[Split, Sequence[Row]]) -> tuple[dict[Split, list[Observation]], Repeats]:
        """Return the observations of every part, whose references can all be read, and what they repeat."""
        every = [row for part in rows.values() for row in part]
        read = self.row_reader(every)
        asked = {split: list(zip(part, each(part, read), strict=True)) for split, part in rows.items()}
        pairs = [pair for part in asked.values() for pair in part]
        if wrong := [pair for pair in pairs if not self.is_readable(*pair)]:
            raise self.unreadable(wrong, len(every))
        parts = {
            split: named([observation for _, observation in part], rows[split])
            for split, part in asked.items()
        }
        return parts, find_repeats(pairs, self._same_answer)

    def _same_answer(self, first: Observation, second: Observation) -> bool:
        """Return whether one observation's answer is right for the other, which asks the same question."""
        if first.choices:  # labels may differ where options are in another order
            texts = [{choice.label: choice.text for choice in asked.choices} for asked in (first, second)]
            return tokens(texts[0][first.answer]) == tokens(texts[1][second.answer])
        return is_reference(self.verifier, second, self.verifier.declare(first))
