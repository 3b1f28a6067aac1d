"""A problem of the user's own: see :mod:`adastar_core.machine.plugins` for how it is named.

A subclass of :class:`OwnProblem` gives the data. Prompts, splits, the reading of references and the hints have defaults.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, ParamSpec, TypeVar

from adastar_core.errors import ConfigError, DataError
from adastar_core.machine.plugins import PluginSettings, call_plugin, failure
from adastar_core.problems.loading import RowProblem, RowReader
from adastar_core.problems.prompts import hint, question
from adastar_core.problems.rows import Row
from adastar_core.problems.settings import SplitSettings
from adastar_core.problems.table import TableSettings, table_reader
from adastar_core.records import Observation, Split
from adastar_core.settings import setting
from adastar_core.verifiers import Verifier, catalogue
from adastar_core.verifiers.custom import CustomVerifierSettings, OwnVerifier

T = TypeVar("T")
P = ParamSpec("P")

OwnRow = Mapping[str, object] | Observation
"""An observation, or ``question``, ``answer`` and perhaps ``choices``, ``id`` and ``difficulty``, as in a table's row."""


class CustomProblemSettings(SplitSettings, PluginSettings):
    """A problem of your own, called with the options: a subclass of adastar_core.problems.custom.OwnProblem."""

    type: Literal["custom"] = "custom"
    verifier: catalogue.VerifierSettings | None = setting(
        None, "Verifier", "A verifier by name, or the import path of your own. Default: the problem's own."
    )


class OwnProblem:
    """The base of a user's problem, which defines ``rows``, or ``load`` where the data have several parts.

    Attributes:
        verifier: The name of a built-in verifier, or an object with ``version`` and ``verify``.
        stop: Strings at which a response ends, besides EOS.
    """

    verifier: catalogue.VerifierName | OwnVerifier | Verifier = "number"
    stop: tuple[str, ...] = ()

    def rows(self) -> Iterable[OwnRow]:
        """Return all rows in a stable order; validation and test are carved from them."""
        raise NotImplementedError

    def load(self, split: Split) -> Iterable[OwnRow] | None:
        """Return a split's rows in a stable order; ``None`` carves the split from the training rows."""
        return self.rows() if split is Split.TRAIN else None

    def prompt(self, observation: Observation) -> str:
        """Return the text that the model continues with its rationale and answer."""
        return question(observation)

    def hinted_prompt(self, observation: Observation) -> str:
        """Return the prompt that also shows the reference answer (rationalization)."""
        return self.prompt(replace(observation, question=observation.question + hint(observation)))

    def training_prompt(self, observation: Observation) -> str:
        return self.prompt(observation)

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:  # noqa: ARG002 (for those that have exemplars)
        """Return the prompt of an evaluation, after ``shots`` exemplars if there are any."""
        return self.training_prompt(observation)

    def reference(self, observation: Observation) -> str | None:  # noqa: ARG002 (the same)
        """Return the reference answer as a response; ``None`` leaves it to the verifier's ``declare``."""
        return None

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:  # noqa: ARG002 (the same)
        """Return whether every step of the rationale is right; ``None`` where that cannot be checked."""
        return None


@dataclass(frozen=True, slots=True)
class _ObservationRow(Row):
    observation: Observation


class CustomProblem(RowProblem):
    """The problem that a :class:`CustomProblemSettings` names."""

    settings: CustomProblemSettings

    def __init__(self, settings: CustomProblemSettings) -> None:
        self._path = settings.path
        whose = f"problem.path: {settings.path}"
        made = call_plugin(settings.path, "problems", "problem.path", (), settings.options)
        if not isinstance(made, OwnProblem):
            raise ConfigError(
                f"{whose} makes a {type(made).__name__}. Make a subclass of adastar_core.problems.custom.OwnProblem."
            )
        if type(made).rows is OwnProblem.rows and type(made).load is OwnProblem.load:
            raise ConfigError(
                f"{whose} has no data. Define rows(), or load(split) for data in several parts."
            )
        stop: object = made.stop
        if not isinstance(stop, list | tuple) or not all(isinstance(text, str) and text for text in stop):
            raise ConfigError(f"{whose} has the stop {stop!r}. Give a tuple of texts, e.g. ('END',).")
        super().__init__("custom", settings, _verifier_of(made, settings, whose))
        self._own, self.stop = made, tuple(stop)

    def rows(self) -> dict[Split, list[Row]]:

        def load(split: Split) -> list[OwnRow] | None:
            rows = self._own.load(split)
            return None if rows is None else list(rows)

        parts = {}
        for split in Split:
            if (given := self._ask(load, split)) is not None:
                source = f"{self._path}:{split}"
                parts[split] = [_row(source, number, row) for number, row in enumerate(given, start=1)]
        if Split.TRAIN not in parts:
            raise DataError(f"problem.path: {self._path}.load returned None for train. Return its rows.")
        return parts

    def row_reader(self, rows: Sequence[Row]) -> RowReader:
        mappings = [row for row in rows if not isinstance(row, _ObservationRow)]
        fields = {
            name: name for name in ("choices", "id", "difficulty") if any(row.has(name) for row in mappings)
        }
        read = table_reader(mappings, TableSettings(path=self._path, **fields))
        return lambda row: row.observation if isinstance(row, _ObservationRow) else read(row)

    def prompt(self, observation: Observation) -> str:
        return self._text(self._own.prompt, observation)

    def hinted_prompt(self, observation: Observation) -> str:
        return self._text(self._own.hinted_prompt, observation)

    def training_prompt(self, observation: Observation) -> str:
        return self._text(self._own.training_prompt, observation)

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        return self._text(self._own.evaluation_prompt, observation, shots)

    def system(self, observation: Observation) -> None:
        """Return ``None``: prompts are the user's own."""

    def reference(self, observation: Observation) -> str:
        """Return the user's reference, else the declaration of the answer alone, with white space only where the prompt has none."""
        given = self._ask(self._own.reference, observation)
        if given is not None:
            return given
        declared = self.verifier.declare(observation)
        return declared.lstrip() if self.training_prompt(observation)[-1:].isspace() else declared

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:
        said = self._ask(self._own.rationale_is_correct, observation, response)
        return None if said is None else bool(said)  # NumPy's too

    def _text(self, method: Callable[P, str], *arguments: P.args, **named: P.kwargs) -> str:
        text: object = self._ask(method, *arguments, **named)
        if not isinstance(text, str):
            raise DataError(
                f"problem.path: {self._path}.{method.__name__} returned a {type(text).__name__}. Return text."
            )
        return text

    def _ask(self, method: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Return what the user's code says; what it raises becomes an error that names the line."""
        try:
            return method(*arguments, **named)
        except Exception as error:
            raise DataError(
                f"problem.path: {self._path}.{method.__name__} failed {failure(error)}."
            ) from error


def _verifier_of(own: OwnProblem, settings: CustomProblemSettings, whose: str) -> Verifier:
    """Return the configured verifier, else the problem's own."""
    named = settings.verifier or own.verifier
    if isinstance(named, CustomVerifierSettings) or named in catalogue.VERIFIER_NAMES:
        return catalogue.open_verifier(named)
    if isinstance(named, str):
        raise ConfigError(
            f"{whose} has the verifier {named!r}. Give one of {', '.join(catalogue.VERIFIER_NAMES)}, or an object with version and verify."
        )
    return catalogue.adopt_verifier(named, f"{whose}.verifier")


def _row(source: str, number: int, given: object) -> Row:
    if isinstance(given, Observation):
        values = {"id": given.observation_id, "question": given.question, "answer": given.answer}
        row: Row = _ObservationRow(source, number, values, given)
        if wrong := [name for name, text in values.items() if not isinstance(text, str)]:
            raise row.broken(f"the observation's {wrong[0]} is not text.")
        return row.checked()
    if not isinstance(given, Mapping):
        raise Row(source, number, {}).broken(
            f"a {type(given).__name__}. Give a mapping with question and answer, or an Observation."
        )
    return Row(source, number, given).checked()
