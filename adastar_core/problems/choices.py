"""The options of a multiple-choice question in every shape that data sets have them, and which one is the answer."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from adastar_core.errors import DataError
from adastar_core.problems.references import declared_or_whole
from adastar_core.problems.rows import Row, cell_text
from adastar_core.records import LETTERS, Choice
from adastar_core.verifiers.options import named_option

_WHOLE = re.compile(r"-?[0-9]+\.0+")
_LABEL = re.compile("[A-Za-z]|[0-9]{1,2}")
_LONG = 9

AnswerAs = Literal["auto", "label", "text", "index_from_0", "index_from_1"]
LabelReader = Callable[[str, tuple[Choice, ...]], str | None]
"""Returns the label of the option that an answer names in one way; ``None`` if it names none."""


def read_choices(row: Row, field: str) -> tuple[Choice, ...]:
    """Return the options that a row holds.

    They are a list of texts (labelled A, B, ...), a list of ``{"label", "text"}``, an object
    ``{"label": [...], "text": [...]}``, an object ``{"A": text, "B": text}`` of letters or numbers, where a null is no
    option, or one of these as JSON text, as in a CSV file.

    Raises:
        DataError: The field has another shape, fewer than two options, or one label twice.
    """
    value = row.value(field)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise row.broken(
                f"the field {field!r} is not JSON ({error}). Write it as a JSON list of options."
            ) from error
        Row(row.source, row.number, {field: value}).checked()
    choices = _choices(value)
    if choices is None or len(choices) < 2:
        raise row.broken(f"the field {field!r} is not a list of at least two options.")
    if len({choice.label for choice in choices}) < len(choices):
        raise row.broken(
            f"the field {field!r} has one label twice: {', '.join(choice.label for choice in choices)}."
        )
    return choices


def _choices(value: object) -> tuple[Choice, ...] | None:
    if isinstance(value, dict):
        if value and all(_LABEL.fullmatch(str(label)) for label in value):
            return _labelled((label, text) for label, text in value.items() if text is not None)
        labels, texts = value.get("label"), value.get("text")
        if not isinstance(labels, list) or not isinstance(texts, list) or len(labels) != len(texts):
            return None
        return _labelled(zip(labels, texts, strict=True))
    if not isinstance(value, list | tuple) or len(value) > len(LETTERS):
        return None
    if all(isinstance(option, dict) and "label" in option and "text" in option for option in value):
        return _labelled((option["label"], option["text"]) for option in value)
    return _labelled(zip(LETTERS, value, strict=False))


def _labelled(cells: Iterable[tuple[object, object]]) -> tuple[Choice, ...] | None:
    """Return labels and texts as options, unless one of them is no text."""
    pairs = [(cell_text(label), cell_text(text)) for label, text in cells]
    choices = tuple(Choice(label, text) for label, text in pairs if label is not None and text is not None)
    return choices if len(choices) == len(pairs) else None


def _whole(text: str) -> str:
    """Return ``4`` of ``4.0``, as a column of numbers with gaps writes its whole numbers; else the text itself."""
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def _is_decimal(answer: str, choices: tuple[Choice, ...]) -> bool:
    """Return whether an answer like 4.0 is written as an option is, 2.5 or 4.0, and so is no index."""
    return _whole(answer) != answer and any(choice.text == answer for choice in choices)


def _only(labels: list[str]) -> str | None:
    return labels[0] if len(labels) == 1 else None


def _by_label(answer: str, choices: tuple[Choice, ...]) -> str | None:
    if any(choice.label == answer for choice in choices):
        return answer
    if numbered := _only([choice.label for choice in choices if _whole(choice.label) == _whole(answer)]):
        return numbered
    declared = declared_or_whole(answer)  # a worked solution: "... The answer is (B)."
    return named_option(choices, declared) if declared != answer else None


def _by_text(answer: str, choices: tuple[Choice, ...]) -> str | None:
    if named := [choice.label for choice in choices if choice.text == answer]:
        return _only(named)
    return _only([choice.label for choice in choices if _whole(choice.text) == _whole(answer)])


def _by_index(first: int) -> LabelReader:
    def read(answer: str, choices: tuple[Choice, ...]) -> str | None:
        whole = _whole(answer)
        place = int(whole) - first if whole.isascii() and whole.isdigit() and len(whole) < _LONG else -1
        numbered = all(choice.label.isdigit() for choice in choices)  # then a number is a label
        return choices[place].label if 0 <= place < len(choices) and not numbered else None

    return read


READINGS: Mapping[str, LabelReader] = {
    "label": _by_label,
    "text": _by_text,
    "index_from_0": _by_index(0),
    "index_from_1": _by_index(1),
}


def _label_or_text(answer: str, choices: tuple[Choice, ...]) -> str | None:
    named = {READINGS[name](answer, choices) for name in ("label", "text")} - {None}
    return named.pop() if len(named) == 1 else None


def names_options(given: Sequence[tuple[str, tuple[Choice, ...]]]) -> bool:
    """Return whether most answers name one of their options, all in one way."""
    readings = (*READINGS.values(), _label_or_text)
    return any(sum(read(*cells) is not None for cells in given) > len(given) / 2 for read in readings)


def settle(
    rows: Sequence[Row], given: Sequence[tuple[str, tuple[Choice, ...]]], wanted: AnswerAs
) -> LabelReader:
    """Return how the answers of a column name their options.

    The whole column decides: a 0 in it proves that indices begin at 0, one answer that is no option's text proves that
    none is meant as one, and an answer 4.0 among the options 4.0 and 2.5 that none is meant as an index.

    Raises:
        DataError: Two ways of reading fit every row and lead to different options, or none fits every row.
    """
    if wanted != "auto":
        return READINGS[wanted]
    fitting = {name: read for name, read in READINGS.items() if all(read(*cells) for cells in given)}
    if not fitting:
        if all(_label_or_text(*cells) for cells in given):
            return _label_or_text
        raise _unreadable(rows, given)
    if "text" in fitting and any(_is_decimal(*cells) for cells in given):
        fitting = {name: read for name, read in fitting.items() if not name.startswith("index")}
    for row, (answer, choices) in zip(rows, given, strict=True):
        named = {name: read(answer, choices) for name, read in fitting.items()}
        if len(set(named.values())) > 1:
            readings = ", ".join(f"option {label} as {name}" for name, label in named.items())
            raise row.broken(
                f"the answer {answer!r} is {readings}, and every row can be read in each of these ways. Set "
                "problem.answer_as to the right one."
            )
    return next(iter(fitting.values()))


def _unreadable(rows: Sequence[Row], given: Sequence[tuple[str, tuple[Choice, ...]]]) -> DataError:
    for row, (answer, choices) in zip(rows, given, strict=True):
        if all(read(answer, choices) is None for read in READINGS.values()):
            labels = ", ".join(choice.label for choice in choices)
            return row.broken(
                f"the answer {answer!r} is none of the choices {labels}: no label, no text and no index."
            )
    misfits = []
    for name, read in READINGS.items():
        row = next(row for row, cells in zip(rows, given, strict=True) if read(*cells) is None)
        misfits.append(f"{name} does not fit {row.source.rpartition('/')[2]} row {row.number}")
    return DataError(
        f"{rows[0].source}: the answers name their options in different ways ({', '.join(misfits)}). Write all of them as labels."
    )
