"""Looks at a table that a user names: what ``adastar init`` proposes follows from what is found here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from adastar_core.errors import DataError
from adastar_core.machine.units import counted
from adastar_core.planning.unshown import option_notes
from adastar_core.problems.columns import NONE, Columns, column_names, guess_columns
from adastar_core.problems.headers import is_value
from adastar_core.problems.references import declared_or_whole
from adastar_core.problems.rows import Row, cell_text, each
from adastar_core.problems.sources import Source
from adastar_core.problems.table import Table, TableSettings, table_reader
from adastar_core.records import Observation, Split
from adastar_core.verifiers.batch import close_verifier
from adastar_core.verifiers.catalogue import VerifierName

_LOOKED_AT = 2000
_MOST_CLASSES, _ROWS_PER_CLASS, _LONGEST_CLASS = 12, 5, 40
_NEARLY = 0.9
_SHOWN = 60
_FORMULA = ("\\", "^", "=", "$", "x", "π")
_DECIMAL_COMMA = re.compile(r"[-−+]?(\d+,(\d{1,2}|\d{4,})|0,\d+)\D*")

__all__ = ["NONE", "RawTable", "TableLook", "examples", "look_at_table", "read_table"]


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
        unreadable: The answers of the first rows that it cannot read.
        observations: The first rows.
        written: What the answer's column says in each.
        solutions: Those of them that are worked solutions, where most are.
        classes: The answers, where they are few, or the labels of options that have columns of their own.
        notes: What should be looked at, a sentence each.
    """

    path: str
    sizes: Mapping[Split, int]
    names: tuple[str, ...]
    columns: Columns
    verifier: VerifierName
    unreadable: tuple[str, ...]
    observations: tuple[Observation, ...]
    written: tuple[str, ...]
    solutions: tuple[str, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


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
    named = {key for key, name in given.items() if name is not None}
    _refuse_values(
        first, {key: getattr(columns, key) for key in ("question", "answer") if not given.get(key)}
    )
    written = [cell_text(row.get(columns.answer)) or "" for row in first]
    observations = _observations(table.path, first, columns)
    solutions = tuple(text for text in written if declared_or_whole(text) != text)
    answers = list(dict.fromkeys(map(declared_or_whole, written)))
    candidates = _candidates(len(first), columns, answers) if verifier is None else [verifier]
    tried = _tried(table.path, first, columns, candidates)
    name, unreadable = next(reversed(tried.items()))
    return TableLook(
        path=table.path,
        sizes={split: len(part) for split, part in table.parts.items()},
        names=tuple(column_names(rows)),
        columns=columns,
        verifier=name,
        unreadable=unreadable,
        observations=tuple(observations),
        written=tuple(written),
        solutions=solutions if len(solutions) > len(first) / 2 else (),
        classes=_classes(columns, answers) if name == "label" else (),
        notes=(
            *_commas(written),
            *_nearly_read(tried, len(first)),
            *option_notes(columns, observations, asked="choices" not in named),
        ),
    )


def _observations(path: str, rows: Sequence[Row], columns: Columns) -> list[Observation]:
    """Return what is read of the rows; an error about their options says how to do without them."""
    plain = each(rows, table_reader(rows, _settings(path, replace(columns, choices=None), "exact")))
    if columns.choices is None:
        return plain
    try:
        return each(rows, table_reader(rows, _settings(path, columns, "exact")))
    except DataError as error:
        without = f"options: the column {columns.choices!r}; --choices {NONE} leaves it out"
        raise DataError(f"{str(error).removesuffix('.')} ({without}).") from error


def _classes(columns: Columns, answers: Sequence[str]) -> tuple[str, ...]:
    return tuple(label for label, _ in columns.options if label) or tuple(answers)


def _refuse_values(rows: Sequence[Row], found: Mapping[str, str]) -> None:
    """Refuse columns that were found and not named, whose names look like values: the table's first row would be lost."""
    for key, name in found.items():
        if is_value(name, [cell_text(row.get(name)) for row in rows]):
            raise DataError(
                f"{rows[0].source}: {name[:_SHOWN]!r} is taken for the name of the {key}'s column, but looks like a value in it. "
                f"Put a line with the columns' names first, or say that it is one: --{key} COLUMN."
            )


def _commas(written: Sequence[str]) -> Iterator[str]:
    commas = [answer for answer in map(declared_or_whole, written) if _DECIMAL_COMMA.fullmatch(answer)]
    if len(commas) > len(written) / 4:
        yield (
            f"{len(commas):,} of {counted(len(written), 'answer')} seem to have a decimal comma, e.g. {examples(commas)}, which is "
            "not read as one: here and in responses 1,500 is one thousand five hundred. Write them with a point, "
            f"{commas[0].replace(',', '.')}, and the verifier number reads them."
        )


def _nearly_read(tried: Mapping[VerifierName, Sequence[str]], count: int) -> Iterator[str]:
    """Yield which verifier can read most answers and was not chosen, and which ones it cannot read."""
    *passed, chosen = tried
    nearest = min(passed, key=lambda name: len(tried[name]), default=chosen)
    cannot = tried[nearest]
    if nearest != chosen and len(cannot) < count / 2:
        yield (
            f"the verifier {nearest} reads {count - len(cannot):,} of {counted(count, 'answer')}, but not {len(cannot):,}, e.g. "
            f"{examples(cannot)}. Rewrite or remove these rows if they are not meant; {chosen} asks for the same "
            "answer in the same words."
        )


def examples(answers: Sequence[str]) -> str:
    """Return the first two different answers, quoted."""
    shown = list(dict.fromkeys(answers))[:2]
    return " and ".join(repr(answer[:_SHOWN]) for answer in shown)


def _settings(path: str, columns: Columns, verifier: VerifierName) -> TableSettings:
    options = [name for _, name in columns.options]
    shown = [name for name in (columns.context, "question", columns.choices and "choices", *options) if name]
    return TableSettings(
        path=path,
        question=columns.question,
        answer=columns.answer,
        choices=columns.choices,
        id=columns.id,
        verifier=verifier,
        prompt="".join(f"{{{name}}}" for name in shown),
    )


def _tried(
    path: str, rows: Sequence[Row], columns: Columns, candidates: Sequence[VerifierName]
) -> dict[VerifierName, tuple[str, ...]]:
    """Return the answers that each verifier cannot read, up to the first that reads nearly all; any text is an exact one."""
    tried: dict[VerifierName, tuple[str, ...]] = {}
    for name in candidates:
        settings = _settings(path, columns, name)
        problem, read = Table(settings), table_reader(rows, settings)
        asked = [(row, read(row)) for row in rows]
        tried[name] = tuple(
            observation.answer for row, observation in asked if not problem.is_readable(row, observation)
        )
        close_verifier(problem.verifier)
        if len(rows) - len(tried[name]) >= _NEARLY * len(rows):
            break
    return tried


def _candidates(rows: int, columns: Columns, answers: Sequence[str]) -> list[VerifierName]:
    if columns.choices is not None:
        return ["choice"]
    if any(label for label, _ in columns.options):
        return ["label"]
    few = len(answers) <= _MOST_CLASSES and len(answers) * _ROWS_PER_CLASS <= rows
    classes = few and max(map(len, answers)) <= _LONGEST_CLASS
    formulas = sum(any(sign in answer for sign in _FORMULA) for answer in answers) > len(answers) / 2
    found: list[VerifierName] = ["yes_no", "number"]
    return [*found, *(["label"] if classes else []), *(["math"] if formulas else []), "exact"]  # type: ignore[list-item]
