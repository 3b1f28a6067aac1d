"""The base of every problem with a data file: splits, few-shot prompts, one format everywhere.

A prompt is ``Q: question``, the options of a multiple-choice question, and ``A:``; the response goes on
from there with a rationale and one of the declared answer patterns. Generation shows exemplars before
it, training and evaluation do not; otherwise the three are the same text.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from adastar_core.errors import DataError
from adastar_core.problems.rows import Row
from adastar_core.problems.sources import HubSource, Source
from adastar_core.problems.splits import carve, limit
from adastar_core.records import Observation, Split
from adastar_core.settings import Settings, setting
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.catalogue import VerifierName, open_verifier

STOP = ("\n\nQ:", "\nQ:")


class DataSettings(Settings):
    """Where a problem's data lies, how it is split and prompted. Every problem with a data file has these."""

    path: str | None = setting(
        None, 0, "Path", "A file (.jsonl, .csv, .parquet), a folder, or a hub name.", min_length=1
    )
    subset: str | None = setting(
        None, 1, "Subset", "Configuration of the hub data set; none takes its only one."
    )
    train: str | None = setting(
        None, 2, "Training part", "File in the folder, or hub split, where its name does not say it."
    )
    validation: str | None = setting(
        None, 3, "Validation part", "File or hub split; none carves it from the training part."
    )
    test: str | None = setting(
        None, 4, "Test part", "File or hub split; none takes the one found, or carves it."
    )
    validation_share: float = setting(
        0.1, 5, "Validation share", "Share of the training part carved by a hash of the id.", gt=0, lt=1
    )
    test_share: float = setting(
        0.1, 6, "Test share", "The same for test, where it has no file of its own.", gt=0, lt=1
    )
    train_limit: int | None = setting(
        None, 7, "Most training items", "Use at most so many, chosen by hash.", ge=1
    )
    validation_limit: int | None = setting(
        None, 8, "Most validation items", "Use at most so many, chosen by hash.", ge=1
    )
    test_limit: int | None = setting(None, 9, "Most test items", "Use at most so many, chosen by hash.", ge=1)
    shots: int | None = setting(
        None, 10, "Exemplars", "Exemplars before a generation prompt; none takes all there are.", ge=0
    )
    fall_back: bool = setting(
        False,
        11,
        "Fall back",
        "Take the last number or letter of a response that declares no answer; recorded when used.",
    )
    chat: bool = setting(False, 12, "Chat", "Wrap prompts in the model's chat template, where it has one.")


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A worked example: an observation and the rationale that a good response to it has."""

    observation: Observation
    rationale: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What tells one problem from another.

    Attributes:
        name: The problem's ``type`` in the configuration.
        read: Makes an observation of a row; its id is empty where the data has none.
        verifier: The kind of answer.
        exemplars: In the order in which they are shown.
        hub: Where the data is when no path is given.
    """

    name: str
    read: Callable[[Row], Observation]
    verifier: VerifierName
    exemplars: tuple[Exemplar, ...] = ()
    hub: HubSource | None = None


class FewShotProblem:
    """A problem read from rows and prompted with exemplars; implements ``Problem``."""

    def __init__(self, settings: DataSettings, benchmark: Benchmark) -> None:
        self.settings = settings
        self._benchmark = benchmark
        self._verifier = open_verifier(benchmark.verifier, fall_back=settings.fall_back)
        shots = len(benchmark.exemplars) if settings.shots is None else settings.shots
        self._exemplars = benchmark.exemplars[:shots]

    @property
    def name(self) -> str:
        """The problem's ``type`` in the configuration."""
        return self._benchmark.name

    @property
    def verifier(self) -> Verifier:
        """What decides whether a response is right."""
        return self._verifier

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which a response ends: the model going on to the next question."""
        return STOP

    def load(self, split: Split) -> Sequence[Observation]:
        """Return a split's observations in the data's order.

        Raises:
            DataError: A file is missing, a row is broken (named by its number), or two ids are equal.
        """
        return self._splits[split]

    def read(self, row: Row) -> Observation:
        """Return one row of the data set's schema as an observation.

        Raises:
            DataError: The row lacks a field or its answer is none of its choices.
        """
        observation = self._benchmark.read(row)
        labels = [choice.label for choice in observation.choices]
        if labels and observation.answer not in labels:
            raise row.broken(f"the answer {observation.answer!r} is none of the choices {', '.join(labels)}.")
        return observation

    def prompt(self, observation: Observation) -> str:
        """Return the exemplars and the question."""
        shown = "".join(f"{question(one.observation)} {self._worked(one)}\n\n" for one in self._exemplars)
        return shown + question(observation)

    def hinted_prompt(self, observation: Observation) -> str:
        """Return the same with the reference answer shown in every question, the exemplars' too."""
        shown = "".join(
            f"{question(one.observation, hinted=True)} {self._worked(one)}\n\n" for one in self._exemplars
        )
        return shown + question(observation, hinted=True)

    def training_prompt(self, observation: Observation) -> str:
        """Return the question alone."""
        return question(observation)

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:  # noqa: ARG002
        """Return ``None``: the steps of these rationales cannot be checked."""
        return None

    def closing(self, observation: Observation) -> str:
        """Return how a response declares the reference answer, e.g. ``"The answer is (B)."``."""
        return closing(self._benchmark.verifier, observation)

    def _worked(self, exemplar: Exemplar) -> str:
        separator = "\n" if self._benchmark.verifier in ("number", "exact") else " "
        return f"{exemplar.rationale}{separator}{self.closing(exemplar.observation)}"

    @cached_property
    def _splits(self) -> dict[Split, list[Observation]]:
        settings = self.settings
        parts = {
            split: unique(list(map(self.read, rows)), rows) for split, rows in self._source().read().items()
        }
        train = parts[Split.TRAIN]
        test, validation = parts.get(Split.TEST), parts.get(Split.VALIDATION)
        if test is None:
            train, test = carve(train, "test", settings.test_share)
        if validation is None:
            train, validation = carve(train, "validation", settings.validation_share)
        splits = {
            Split.TRAIN: limit(train, settings.train_limit),
            Split.VALIDATION: limit(validation, settings.validation_limit),
            Split.TEST: limit(test, settings.test_limit),
        }
        for split, observations in splits.items():
            if not observations:
                raise DataError(
                    f"{self.name}: the {split} part has no observations. Give more data or a larger share."
                )
        return splits

    def _source(self) -> Source:
        settings, hub = self.settings, self._benchmark.hub
        named = {split: name for split in Split if (name := getattr(settings, split.value)) is not None}
        if settings.path is not None:
            parts = dict(hub.splits) | named if hub and settings.path == hub.name else named
            subset = settings.subset or (hub.subset if hub and settings.path == hub.name else None)
            return Source(settings.path, subset, tuple(parts.items()))
        if hub is None:
            raise DataError(f"{self.name}: no data. Set problem.path to a file, a folder or a hub name.")
        return Source(hub.name, settings.subset or hub.subset, tuple((dict(hub.splits) | named).items()))


def question(observation: Observation, *, hinted: bool = False) -> str:
    """Return the question with its options and, when hinted, its reference answer, up to ``A:``."""
    hint = f" ({observation.answer})" if hinted else ""
    options = "".join(f"({choice.label}) {choice.text}\n" for choice in observation.choices)
    return f"Q: {observation.question}{hint}\n{'Options:' + chr(10) + options if options else ''}A:"


def closing(verifier: VerifierName, observation: Observation) -> str:
    """Return how a response declares the reference answer of an observation."""
    match verifier:
        case "number":
            return f"#### {observation.answer}"


def unique(observations: list[Observation], rows: Sequence[Row]) -> list[Observation]:
    """Return the observations with an id each: their own, or a digest of what they ask.

    Raises:
        DataError: Two rows have one id.
    """
    seen: dict[str, Row] = {}
    digests: Counter[str] = Counter()
    named: list[Observation] = []
    for one, row in zip(observations, rows, strict=True):
        if one.observation_id in seen:
            first = seen[one.observation_id].number
            raise row.broken(f"the id {one.observation_id!r} is that of row {first} too. Make ids unique.")
        if one.observation_id:
            seen[one.observation_id] = row
        named.append(one if one.observation_id else _with_digest(one, digests))
    return named


def _with_digest(one: Observation, digests: Counter[str]) -> Observation:
    """Name an observation by its content; the k-th repetition of one content gets ``-k``."""
    digest = hashlib.sha256(question(one).encode()).hexdigest()[:16]
    digests[digest] += 1
    repeat = f"-{digests[digest]}" if digests[digest] > 1 else ""
    return Observation(digest + repeat, one.question, one.answer, one.choices, one.difficulty)
