"""Your own data: any table with a question and an answer per row."""

from collections.abc import Sequence
from functools import partial
from itertools import groupby, product
from typing import ClassVar, Literal

from pydantic import model_validator

from adastar_core.errors import DataError
from adastar_core.machine import confine
from adastar_core.problems.choices import AnswerAs, read_choices, settle
from adastar_core.problems.columns import guess_columns
from adastar_core.problems.few_shot import Benchmark, FewShotProblem
from adastar_core.problems.files import read_rows
from adastar_core.problems.loading import RowReader
from adastar_core.problems.prompts import Exemplar
from adastar_core.problems.references import contradictory, contradicts_itself, declared_or_whole
from adastar_core.problems.rows import Row, each
from adastar_core.problems.settings import DataSettings
from adastar_core.problems.template import Template
from adastar_core.records import Choice, Observation
from adastar_core.settings import DataSource, ReadablePath, Text, setting
from adastar_core.verifiers.catalogue import VerifierSettings

_LOOKED_AT = 100


class TableSettings(DataSettings):
    """A table of your own: which fields hold what, and what kind of answer it has."""

    shows_columns: ClassVar[bool] = True

    type: Literal["table"] = "table"
    path: DataSource = setting(
        ..., "Path", "A file (.jsonl, .json, .csv, .tsv, .parquet), a folder, or a hub name.", min_length=1
    )
    question: Text = setting(
        "question", "Question field", "Field with the question; a.b looks into a nested one.", min_length=1
    )
    answer: Text = setting("answer", "Answer field", "Field with the reference answer.", min_length=1)
    choices: Text | None = setting(
        None, "Choices field", "Field with the options of a multiple-choice question."
    )
    id: Text | None = setting(
        None, "Id field", "Field with a unique id. Default: rows are named by their content."
    )
    difficulty: Text | None = setting(None, "Difficulty field", "Field to break accuracy down by.")
    verifier: VerifierSettings = setting(
        "number",
        "Verifier",
        "What kind of answer the problem has, or the import path of a verifier of your own.",
    )
    exemplars: ReadablePath | None = setting(
        None,
        "Exemplars file",
        "A file with the same fields and a field rationale: worked examples for the prompt.",
    )
    answer_as: AnswerAs = setting(
        "auto",
        "Answer as",
        "How an answer names its option: by label, by text, or by index from 0 or 1; auto finds the way that fits every row.",
        added=True,
    )

    @model_validator(mode="after")
    def _options_are_shown(self) -> "TableSettings":
        shown = self.prompt is None or "choices" in Template(self.prompt).fields
        if self.choices is not None and not shown:
            raise ValueError("prompt has no {choices}, so the model would not see the options; add the field")
        return self

    @model_validator(mode="after")
    def _answer_is_hidden(self) -> "TableSettings":
        if self.question.casefold() == self.answer.casefold():
            raise ValueError(
                f"question ({self.question}) is the answer's column too, so the model would only copy it; name another one"
            )
        if shown := [name for name in self.context if name.casefold() == self.answer.casefold()]:
            raise ValueError(
                f"the prompt's field {{{shown[0]}}} is the answer's column, so the model would only copy it; remove the field"
            )
        return self


class Table(FewShotProblem):
    """The problem that a :class:`TableSettings` describes."""

    settings: TableSettings
    remedy = ", or set problem.answer and problem.verifier to what the answers are"

    def __init__(self, settings: TableSettings) -> None:
        self.settings = settings
        self._shown_rows: list[Row] = []
        if settings.exemplars is not None:
            self._shown_rows = read_rows(confine.readable(settings.exemplars, "problem.exemplars"))
        if self._shown_rows:
            self._check_columns(self._shown_rows)
        read = table_reader(self._shown_rows, settings)
        asked = [(row, read(row)) for row in self._shown_rows]
        exemplars = tuple(Exemplar(observation, row.text("rationale")) for row, observation in asked)
        super().__init__(settings, Benchmark("table", read, settings.verifier, exemplars))
        if wrong := [pair for pair in asked if not self.is_readable(*pair)]:
            raise self.unreadable(wrong, len(asked))

    def row_reader(self, rows: Sequence[Row]) -> RowReader:
        """Return what reads one of these rows; those of the exemplars help to decide what an answer among options means."""
        self._check_columns(rows)
        return table_reader([*rows, *self._shown_rows], self.settings)

    def _check_columns(self, rows: Sequence[Row]) -> None:
        """Refuse columns that no row has, or of those that only the prompt shows no row of a file, with what may be meant."""
        keys = ("question", "answer", "choices", "id", "difficulty")
        wanted = [(key, getattr(self.settings, key)) for key in keys]
        for key, name in wanted:
            if name and not any(map(partial(_has, name), rows)):
                raise _no_column(rows, key, name, _meant(rows, key))
        files = {source: list(part) for source, part in groupby(rows, lambda row: row.source)}
        shown = [(key, name) for key in ("prompt", "system") for name in self.settings.shown_by(key)]
        for (key, name), part in product(shown, files.values()):
            if not any(row.names(name) for row in part):
                raise _no_column(part, key, name, "Name one of them, or remove the field.")

    def is_readable(self, row: Row, observation: Observation) -> bool:
        """Return the same, and whether a solution that declares its answer declares no other one."""
        written = str(row.value(self.settings.answer))
        return super().is_readable(row, observation) and not (
            declared_or_whole(written) != written and contradicts_itself(self.verifier, observation, written)
        )

    def unreadable(self, rows: Sequence[tuple[Row, Observation]], count: int) -> DataError:
        """Return the same; where each reference can be read, that solutions declare several."""
        wrong = [pair for pair in rows if not super(Table, self).is_readable(*pair)]
        return super().unreadable(wrong, count) if wrong else contradictory(rows, count, self.remedy)


def table_reader(rows: Sequence[Row], settings: TableSettings) -> RowReader:
    """Return what reads one of these rows, which together decide what an answer among options means."""
    if settings.choices is None:
        return lambda row: _observation(row, settings, (), declared_or_whole(_answer(row, settings.answer)))
    field = settings.choices
    given = each(rows, lambda row: (_answer(row, settings.answer), read_choices(row, field)))
    reading = settle(rows, given, settings.answer_as)

    def read(row: Row) -> Observation:
        answer, choices = _answer(row, settings.answer), read_choices(row, field)
        return _observation(row, settings, choices, reading(answer, choices) or answer)

    return read


def _has(name: str, row: Row) -> bool:
    return row.has(name) or row.has(name.partition(".")[0])


def _no_column(rows: Sequence[Row], key: str, name: str, remedy: str) -> DataError:
    there = ", ".join(dict.fromkeys(str(name) for row in rows[:_LOOKED_AT] for name in row.values))
    return DataError(f"{rows[0].source}: there is no column {name!r} (problem.{key}), only {there}. {remedy}")


def _meant(rows: Sequence[Row], key: str) -> str:
    try:
        guessed = guess_columns(rows)
    except DataError:
        return "Name the right one."
    sets = f"problem.question={guessed.question} and problem.answer={guessed.answer}"
    return f"Set problem.{key} to the right one; the table looks like {sets}."


def _answer(row: Row, field: str) -> str:
    """Return the answer of a row, which may be a truth value."""
    value = row.value(field)
    return str(value) if isinstance(value, bool) else row.text(field)


def _observation(row: Row, settings: TableSettings, choices: tuple[Choice, ...], answer: str) -> Observation:
    return Observation(
        observation_id=row.text(settings.id) if settings.id else "",
        question=row.text(settings.question),
        answer=answer,
        choices=choices,
        difficulty=row.text(settings.difficulty) if settings.difficulty else None,
        context=tuple((name, row.text_or_empty(name)) for name in settings.context),
    )
