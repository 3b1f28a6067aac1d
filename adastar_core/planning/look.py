"""Looks at a table and at a model that a user names: what ``adastar init`` proposes follows from what is found here."""

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import ConfigError
from adastar_core.models.source import parameter_count, positions_of, resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems.chat import check_template
from adastar_core.problems.columns import NONE, Columns, column_names, guess_columns
from adastar_core.problems.references import declared_or_whole
from adastar_core.problems.rows import Row, cell_text
from adastar_core.problems.sources import Source
from adastar_core.problems.table import Table, TableSettings, table_reader
from adastar_core.records import Observation, Split
from adastar_core.verifiers.batch import close_verifier
from adastar_core.verifiers.catalogue import VerifierName

_LOOKED_AT = 2000
_MOST_CLASSES, _ROWS_PER_CLASS, _LONGEST_CLASS = 12, 5, 40
_NEARLY = 0.9
_FORMULA = ("\\", "^", "=", "$", "x", "π")
_DECIMAL_COMMA = re.compile(r"[-−+]?(\d+,(\d{1,2}|\d{4,})|0,\d+)\D*")

__all__ = ["NONE", "ModelLook", "RawTable", "TableLook", "look_at_model", "look_at_table", "read_table"]


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table's rows by part, and its path as the user named it."""

    path: str
    parts: Mapping[Split, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class TableLook:
    """A table as it was found.

    Attributes:
        path: As the user named it.
        sizes: Rows of each part that there is.
        names: Of all columns.
        columns: Which hold what.
        verifier: The first that can read the answers.
        unreadable: Rows among the first ones whose answer it cannot read.
        observations: The first rows.
        written: What the answer's column says in each.
        solutions: Those of them that are worked solutions, where most are.
        classes: The answers, where they are few.
        notes: What should be looked at, a sentence each.
    """

    path: str
    sizes: Mapping[Split, int]
    names: tuple[str, ...]
    columns: Columns
    verifier: VerifierName
    unreadable: int
    observations: tuple[Observation, ...]
    written: tuple[str, ...]
    solutions: tuple[str, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelLook:
    """A model as it was found; ``no_chat`` says why its chat template cannot be used, if so."""

    name: str
    directory: Path
    parameters: int
    positions: int | None
    no_chat: str | None


def read_table(path: str) -> RawTable:
    """Read a table.

    Raises:
        DataError: It cannot be read.
    """
    return RawTable(path, Source(path, None, ()).read())


def look_at_table(table: RawTable, *, verifier: VerifierName | None = None, **given: str | None) -> TableLook:
    """Find out what is in a table; columns, and a verifier, that are ``given`` are taken as they are.

    Raises:
        DataError: A column does not exist or cannot be found, or a row cannot be read.
    """
    rows = [row for part in table.parts.values() for row in part]
    columns, first = guess_columns(rows, **given), rows[:_LOOKED_AT]
    written = [cell_text(row.get(columns.answer)) or "" for row in first]
    solutions = tuple(text for text in written if declared_or_whole(text) != text)
    answers = list(dict.fromkeys(map(declared_or_whole, written)))
    candidates = _candidates(len(first), columns, answers) if verifier is None else [verifier]
    name, unreadable = _verifier(table.path, first, columns, candidates)
    read = table_reader(first, _settings(table.path, columns, name))
    return TableLook(
        path=table.path,
        sizes={split: len(part) for split, part in table.parts.items()},
        names=tuple(column_names(rows)),
        columns=columns,
        verifier=name,
        unreadable=unreadable,
        observations=tuple(map(read, first)),
        written=tuple(written),
        solutions=solutions if len(solutions) > len(first) / 2 else (),
        classes=tuple(answers) if name == "label" else (),
        notes=tuple(_notes(answers)),
    )


def _notes(answers: Sequence[str]) -> Iterator[str]:
    commas = [answer for answer in answers if _DECIMAL_COMMA.fullmatch(answer)]
    if len(commas) > len(answers) / 4:
        yield (
            f"answers such as {commas[0]!r} seem to have a decimal comma, which is not read as one (1,500 is one thousand "
            f"five hundred). Write {commas[0].replace(',', '.')}."
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
    shown = [name for name in (columns.context, "question", columns.choices and "choices") if name]
    return TableSettings(
        path=path,
        question=columns.question,
        answer=columns.answer,
        choices=columns.choices,
        id=columns.id,
        verifier=verifier,
        prompt="".join(f"{{{name}}}" for name in shown),
    )


def _verifier(
    path: str, rows: Sequence[Row], columns: Columns, candidates: Sequence[VerifierName]
) -> tuple[VerifierName, int]:
    """Return the first verifier that can read nearly every answer, and how many it cannot; any text is an exact answer."""
    for name in candidates:
        settings = _settings(path, columns, name)
        problem, read = Table(settings), table_reader(rows, settings)
        unreadable = sum(not problem.is_readable(row, read(row)) for row in rows)
        close_verifier(problem.verifier)
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
