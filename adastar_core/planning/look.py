"""Looks at a table and at a model that a user names: what ``adastar init`` proposes follows from what is found here."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import ConfigError
from adastar_core.models.source import parameter_count, positions_of, resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems.chat import check_template
from adastar_core.problems.columns import Columns, guess_columns
from adastar_core.problems.references import declared_or_whole
from adastar_core.problems.rows import Row
from adastar_core.problems.sources import Source
from adastar_core.problems.table import Table, TableSettings, table_reader
from adastar_core.records import Observation, Split
from adastar_core.verifiers.batch import close_verifier
from adastar_core.verifiers.catalogue import VerifierName

_LOOKED_AT = 2000
_MOST_CLASSES, _ROWS_PER_CLASS, _LONGEST_CLASS = 12, 5, 40
_NEARLY = 0.9
_FORMULA = ("\\", "^", "=", "$", "x", "π")


@dataclass(frozen=True, slots=True)
class TableLook:
    """A table as it was found.

    Attributes:
        path: As the user named it.
        sizes: Rows of each part that there is.
        columns: Which hold what.
        verifier: The first that can read the answers.
        unreadable: Rows among the first ones whose answer it cannot read.
        observations: The first rows.
        solutions: Their worked solutions, where the answers are such.
        classes: The answers, where they are few.
    """

    path: str
    sizes: Mapping[Split, int]
    columns: Columns
    verifier: VerifierName
    unreadable: int
    observations: tuple[Observation, ...]
    solutions: tuple[str, ...]
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelLook:
    """A model as it was found; ``no_chat`` says why its chat template cannot be used, if so."""

    name: str
    directory: Path
    parameters: int
    positions: int | None
    no_chat: str | None


def look_at_table(path: str, **given: str | None) -> TableLook:
    """Read a table and find out what is in it; columns that are ``given`` are taken as they are.

    Raises:
        DataError: It cannot be read, or a column cannot be found.
    """
    parts = Source(path, None, ()).read()
    rows = [row for part in parts.values() for row in part]
    columns = guess_columns(rows, **given)
    first = rows[:_LOOKED_AT]
    written = [str(row.values.get(columns.answer, "")).strip() for row in first]
    solutions = tuple(text for text in written if declared_or_whole(text) != text)
    answers = list(dict.fromkeys(map(declared_or_whole, written)))
    verifier, unreadable = _verifier(path, first, columns, answers)
    read = table_reader(first, _settings(path, columns, verifier))
    return TableLook(
        path=path,
        sizes={split: len(part) for split, part in parts.items()},
        columns=columns,
        verifier=verifier,
        unreadable=unreadable,
        observations=tuple(map(read, first)),
        solutions=solutions if len(solutions) > len(first) / 2 else (),
        classes=tuple(answers) if verifier == "label" else (),
    )


def look_at_model(name: str) -> ModelLook:
    """Return what is known of a model without loading its weights.

    Raises:
        ModelError: There is none of this name, or it lacks something.
    """
    directory = resolve_model(name)
    try:
        check_template(Vocabulary(directory), directory, datetime.date.today())
        no_chat = None
    except ConfigError as error:
        no_chat = str(error)
    return ModelLook(name, directory, parameter_count(directory), positions_of(directory), no_chat)


def _settings(path: str, columns: Columns, verifier: VerifierName) -> TableSettings:
    return TableSettings(
        path=path,
        question=columns.question,
        answer=columns.answer,
        choices=columns.choices,
        verifier=verifier,
    )


def _verifier(
    path: str, rows: Sequence[Row], columns: Columns, answers: Sequence[str]
) -> tuple[VerifierName, int]:
    """Return the first verifier that can read nearly every answer, and how many it cannot; any text is an exact answer."""
    for name in _candidates(len(rows), columns, answers):
        settings = _settings(path, columns, name)
        table, read = Table(settings), table_reader(rows, settings)
        unreadable = sum(not table.is_readable(row, read(row)) for row in rows)
        close_verifier(table.verifier)
        if unreadable <= (1 - _NEARLY) * len(rows):
            break
    return name, unreadable


def _candidates(rows: int, columns: Columns, answers: Sequence[str]) -> list[VerifierName]:
    if columns.choices is not None:
        return ["choice"]
    few = len(answers) <= _MOST_CLASSES and len(answers) * _ROWS_PER_CLASS <= rows
    classes = few and max(map(len, answers)) <= _LONGEST_CLASS
    formulas = sum(any(sign in answer for sign in _FORMULA) for answer in answers) > len(answers) / 2
    found: list[VerifierName] = ["yes_no", "number"]
    return [*found, *(["label"] if classes else []), *(["math"] if formulas else []), "exact"]  # type: ignore[list-item]
