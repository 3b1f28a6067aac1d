"""The base of every problem with a data file: where the data is, its splits, few-shot prompts.

Generation shows exemplars before the question; training and evaluation do not. Otherwise the three are the
same text (:mod:`adastar_core.problems.prompts`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from adastar_core.errors import DataError
from adastar_core.machine import confine
from adastar_core.problems.identity import named
from adastar_core.problems.overlap import Overlap, overlap
from adastar_core.problems.prompts import STOP, Exemplar, closing, question, worked
from adastar_core.problems.references import is_reference, unreadable
from adastar_core.problems.repeats import Repeats, find_repeats, spelling
from adastar_core.problems.rows import Row
from adastar_core.problems.sources import HubSource, Source
from adastar_core.problems.splits import carve, limit
from adastar_core.records import Observation, Split
from adastar_core.settings import DataPart, DataSource, Settings, Text, setting
from adastar_core.shingles import tokens
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.catalogue import VerifierName, open_verifier


class DataSettings(Settings):
    """Where a problem's data lies, how it is split and prompted. Every problem with a data file has these."""

    path: DataSource | None = setting(
        None,
        "Path",
        "A file (.jsonl, .csv, .parquet), a folder, or a hub name; none takes the benchmark's own.",
        min_length=1,
    )
    subset: Text | None = setting(
        None, "Subset", "Configuration of the hub data set; none takes its only one."
    )
    train: DataPart | None = setting(
        None, "Training part", "File in the folder, or hub split, where its name does not say it."
    )
    validation: DataPart | None = setting(
        None, "Validation part", "File or hub split; none carves it from the training part."
    )
    test: DataPart | None = setting(
        None, "Test part", "File or hub split; none takes the one found, or carves it."
    )
    validation_share: float = setting(
        0.1,
        "Validation share",
        "Share of the training part carved by a hash of the id; equal questions stay together.",
        gt=0,
        lt=1,
    )
    test_share: float = setting(
        0.1, "Test share", "The same for test, where it has no file of its own.", gt=0, lt=1
    )
    train_limit: int | None = setting(
        None, "Most training items", "Use at most so many, chosen by hash.", ge=1
    )
    validation_limit: int | None = setting(
        None, "Most validation items", "Use at most so many, chosen by hash.", ge=1
    )
    test_limit: int | None = setting(None, "Most test items", "Use at most so many, chosen by hash.", ge=1)
    drop_overlap: bool = setting(
        False,
        "Drop overlap",
        "Drop training questions that a test question repeats, word for word or nearly; they are always counted.",
    )
    shots: int | None = setting(
        None, "Exemplars", "Exemplars before a generation prompt; none takes all there are.", ge=0
    )
    fall_back: bool = setting(
        False,
        "Fall back",
        "Take the last number, letter, or yes or no of a response that declares no answer; recorded when used.",
    )


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What tells one problem from another.

    Attributes:
        name: The problem's ``type`` in the configuration.
        reader: Takes all rows of the data, and returns what makes an observation of one of them; its id is empty where
            the data has none.
        verifier: The kind of answer.
        exemplars: In the order in which they are shown.
        hub: Where the data is when no path is given.
        remedy: What may be done about references that cannot be read, besides fixing them.
    """

    name: str
    reader: Callable[[Sequence[Row]], Callable[[Row], Observation]]
    verifier: VerifierName
    exemplars: tuple[Exemplar, ...] = ()
    hub: HubSource | None = None
    remedy: str = ""


class FewShotProblem:
    """A problem read from rows and prompted with exemplars; implements ``Problem``."""

    def __init__(self, settings: DataSettings, benchmark: Benchmark) -> None:
        self.settings = settings
        self.benchmark = benchmark
        self._verifier = open_verifier(benchmark.verifier, fall_back=settings.fall_back)
        shots = len(benchmark.exemplars) if settings.shots is None else settings.shots
        if shots > len(benchmark.exemplars):
            raise DataError(
                f"problem.shots ({shots}) is more than the {len(benchmark.exemplars)} exemplars of {self.name}."
            )
        self.exemplars = benchmark.exemplars[:shots]

    @property
    def name(self) -> str:
        """The problem's ``type`` in the configuration."""
        return self.benchmark.name

    @property
    def verifier(self) -> Verifier:
        """What decides whether a response is right."""
        return self._verifier

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which a response ends: the model going on to the next question."""
        return STOP

    @property
    def overlap(self) -> Overlap:
        """How many training questions the test part repeats. Reads the data."""
        return self._data.overlap

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the data: questions that are asked more than once. Reads the data."""
        return self._data.notes

    def load(self, split: Split) -> Sequence[Observation]:
        """Return a split's observations in the data's order.

        Raises:
            DataError: A file is missing, a row is broken (named by its number), or two ids are equal.
        """
        return self._data.splits[split]

    def everything(self) -> Sequence[Observation]:
        """Return the observations of all parts of the data, whatever limits, overlap or contradictions keep out."""
        return self._data.everything

    def reader(self, rows: Sequence[Row]) -> Callable[[Row], Observation]:
        """Return what makes an observation of one of these rows, which are all that there are; see :class:`Benchmark`.

        Raises:
            DataError: A row lacks a field, or its answer cannot be read; the reader too raises it.
        """
        read = self.benchmark.reader(rows)

        def readable(row: Row) -> Observation:
            observation = read(row)
            if not self.is_readable(row, observation):
                raise self.unreadable([(row, observation)], 1)
            return observation

        return readable

    def is_readable(self, row: Row, observation: Observation) -> bool:  # noqa: ARG002 (for problems that look at it)
        """Return whether the verifier finds the reference right when a response gives it."""
        return is_reference(self.benchmark.verifier, self._verifier, observation, self.closing(observation))

    def unreadable(self, rows: Sequence[tuple[Row, Observation]], count: int) -> DataError:
        """Return the one error about rows that are not readable, of so many."""
        return unreadable(self.benchmark.verifier, rows, count, self.benchmark.remedy)

    def prompt(self, observation: Observation) -> str:
        """Return the exemplars and the question."""
        return self._shown + question(observation)

    def hinted_prompt(self, observation: Observation) -> str:
        """Return the same with the reference answer shown in every question, the exemplars' too."""
        return self._shown_hinted + question(observation, hinted=True)

    def training_prompt(self, observation: Observation) -> str:
        """Return the question alone."""
        return question(observation)

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        """Return the question after the first ``shots`` of the problem's exemplars, or all that it has."""
        verifier, exemplars = self.benchmark.verifier, self.benchmark.exemplars[:shots]
        return "".join(worked(verifier, one) for one in exemplars) + question(observation)

    def reference(self, observation: Observation) -> str:
        """Return the declaration of the answer alone."""
        return self.closing(observation)

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:  # noqa: ARG002
        """Return ``None``: the steps of these rationales cannot be checked."""
        return None

    def closing(self, observation: Observation) -> str:
        """Return how a response declares the reference answer, e.g. ``" The answer is (B)."``."""
        return closing(self.benchmark.verifier, observation)

    @cached_property
    def _shown(self) -> str:
        return "".join(worked(self.benchmark.verifier, one) for one in self.exemplars)

    @cached_property
    def _shown_hinted(self) -> str:
        return "".join(worked(self.benchmark.verifier, one, hinted=True) for one in self.exemplars)

    @cached_property
    def _data(self) -> "_Data":
        settings = self.settings
        parts, repeats = self._read(self._source().read())
        unmeasurable = repeats.unmeasurable()
        train, test = parts[Split.TRAIN], parts.get(Split.TEST)
        if test is None:
            train, test = _carve(train, "test", settings.test_share, unmeasurable)
        found = overlap(train, test, dropped=settings.drop_overlap)
        if settings.drop_overlap:
            repeated = set(found.observation_ids)
            train = [one for one in train if one.observation_id not in repeated]
        validation = parts.get(Split.VALIDATION)
        selecting = Overlap(0, 0, False, ()) if validation is None else overlap(train, validation)
        if validation is None:
            train, validation = _carve(train, "validation", settings.validation_share, unmeasurable)
        splits = {
            Split.TRAIN: limit(train, settings.train_limit),
            Split.VALIDATION: limit(validation, settings.validation_limit),
            Split.TEST: limit(test, settings.test_limit),
        }
        self._refuse_empty(splits)
        everything = [one for part in parts.values() for one in part]
        return _Data(splits, everything, found, (*repeats.notes(), *_overlap_notes(found, selecting)))

    def _read(self, rows: dict[Split, list[Row]]) -> tuple[dict[Split, list[Observation]], Repeats]:
        """Return the observations of every part, whose references can all be read, and what they repeat."""
        every = [row for part in rows.values() for row in part]
        read = self.benchmark.reader(every)
        parts = {split: [(row, read(row)) for row in part] for split, part in rows.items()}
        asked = [pair for part in parts.values() for pair in part]
        wrong = [pair for pair in asked if not self.is_readable(*pair)]
        if wrong:
            raise self.unreadable(wrong, len(every))
        observations = {split: named([one for _, one in part], rows[split]) for split, part in parts.items()}
        return observations, find_repeats(asked, self._same_answer)

    def _same_answer(self, one: Observation, other: Observation) -> bool:
        """Return whether one observation's answer is right for the other, which asks the same question."""
        if one.choices:
            texts = [{choice.label: choice.text for choice in either.choices} for either in (one, other)]
            return tokens(texts[0][one.answer]) == tokens(texts[1][other.answer])
        return is_reference(self.benchmark.verifier, self._verifier, other, self.closing(one))

    def _refuse_empty(self, splits: dict[Split, list[Observation]]) -> None:
        for split, observations in splits.items():
            if not observations:
                raise DataError(
                    f"{self.name}: the {split} part has no observations. Give more data or a larger problem.{split}_share."
                )

    def _source(self) -> Source:
        settings, hub = self.settings, self.benchmark.hub
        named_parts = {split: name for split in Split if (name := getattr(settings, split.value)) is not None}
        if hub is not None and settings.path in (None, hub.name):
            return Source(
                hub.name, settings.subset or hub.subset, tuple((dict(hub.splits) | named_parts).items())
            )
        if settings.path is None:
            raise DataError(f"{self.name}: no data. Set problem.path to a file, a folder or a hub name.")
        confine.source(settings.path, "problem.path")
        return Source(settings.path, settings.subset, tuple(named_parts.items()))


@dataclass(frozen=True, slots=True)
class _Data:
    """The data as read once: its splits, what test repeats of training, and what is to be said of it."""

    splits: dict[Split, list[Observation]]
    everything: list[Observation]
    overlap: Overlap
    notes: tuple[str, ...]


def _carve(
    train: list[Observation], purpose: str, share: float, unmeasurable: set[str]
) -> tuple[list[Observation], list[Observation]]:
    """Carve a part out of training, without the questions that have different answers."""
    stay, carved = carve(train, purpose, share)
    return stay, [one for one in carved if spelling(one) not in unmeasurable]


def _overlap_notes(test: Overlap, validation: Overlap) -> tuple[str, ...]:
    notes = []
    for split, found in ((Split.TEST, test), (Split.VALIDATION, validation)):
        if found.exact or found.near:
            kept = (
                "they are kept"
                if split is Split.VALIDATION
                else "they are kept; problem.drop_overlap drops them"
            )
            notes.append(
                f"The {split} part repeats {found.exact:,} training questions word for word and {found.near:,} nearly; "
                f"{'they are dropped' if found.dropped else kept}."
            )
    return tuple(notes)
