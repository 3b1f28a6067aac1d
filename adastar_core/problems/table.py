"""Your own data: any table with a question and an answer per row."""

import json
from pathlib import Path
from typing import Literal

from adastar_core.problems.few_shot import Benchmark, DataSettings, Exemplar, FewShotProblem
from adastar_core.problems.rows import Row, read_rows
from adastar_core.records import Choice, Observation
from adastar_core.settings import setting
from adastar_core.verifiers.catalogue import VerifierName

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class TableSettings(DataSettings):
    """A table of your own: which fields hold what, and what kind of answer it has."""

    type: Literal["table"] = "table"
    path: str = setting(
        ..., 0, "Path", "A file (.jsonl, .csv, .parquet), a folder, or a hub name.", min_length=1
    )
    question: str = setting(
        "question",
        20,
        "Question field",
        "Field with the question; a.b looks into a nested one.",
        min_length=1,
    )
    answer: str = setting("answer", 21, "Answer field", "Field with the reference answer.", min_length=1)
    choices: str | None = setting(
        None, 22, "Choices field", "Field with the options of a multiple-choice question."
    )
    id: str | None = setting(
        None, 23, "Id field", "Field with a unique id; none names rows by their content."
    )
    difficulty: str | None = setting(None, 24, "Difficulty field", "Field to break accuracy down by.")
    verifier: VerifierName = setting("number", 25, "Verifier", "What kind of answer the problem has.")
    exemplars: str | None = setting(
        None,
        26,
        "Exemplars file",
        "A file with the same fields and a field rationale: worked examples for the prompt.",
    )


class Table(FewShotProblem):
    """The problem that a :class:`TableSettings` describes."""

    def __init__(self, settings: TableSettings) -> None:
        exemplars = _exemplars(settings)
        super().__init__(
            settings,
            Benchmark("table", lambda row: _observation(row, settings), settings.verifier, exemplars),
        )


def _exemplars(settings: TableSettings) -> tuple[Exemplar, ...]:
    if settings.exemplars is None:
        return ()
    rows = read_rows(Path(settings.exemplars).expanduser())
    return tuple(Exemplar(_observation(row, settings), row.text("rationale")) for row in rows)


def _observation(row: Row, settings: TableSettings) -> Observation:
    choices = read_choices(row, settings.choices) if settings.choices else ()
    answer = row.value(settings.answer)
    return Observation(
        observation_id=row.text(settings.id) if settings.id else "",
        question=row.text(settings.question),
        answer=_label(answer, choices) or row.text(settings.answer),
        choices=choices,
        difficulty=row.text(settings.difficulty) if settings.difficulty else None,
    )


def _label(answer: object, choices: tuple[Choice, ...]) -> str | None:
    """Return the label that an answer names: by itself, by a choice's text, or by a 0-based index."""
    labels = [choice.label for choice in choices]
    if str(answer).strip() in labels:
        return str(answer).strip()
    texts = [choice.label for choice in choices if choice.text == str(answer).strip()]
    if len(texts) == 1:
        return texts[0]
    is_index = isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices)
    return labels[answer] if is_index and isinstance(answer, int) else None


def read_choices(row: Row, field: str) -> tuple[Choice, ...]:
    """Return the options that a row holds in any of the usual shapes.

    They are a list of texts (labelled A, B, ...), a list of ``{"label", "text"}``, an object
    ``{"label": [...], "text": [...]}``, or one of these as JSON text, as in a CSV file.

    Raises:
        DataError: The field has another shape, fewer than two options, or one label twice.
    """
    value = row.value(field)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise row.broken(
                f"the field {field!r} is not JSON ({error}). Write it as a JSON list of options."
            ) from error
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
        labels, texts = value.get("label"), value.get("text")
        if not isinstance(labels, list) or not isinstance(texts, list) or len(labels) != len(texts):
            return None
        return tuple(
            Choice(str(label).strip(), str(text).strip()) for label, text in zip(labels, texts, strict=True)
        )
    if not isinstance(value, list) or len(value) > len(LETTERS):
        return None
    if all(isinstance(one, dict) and "label" in one and "text" in one for one in value):
        return tuple(Choice(str(one["label"]).strip(), str(one["text"]).strip()) for one in value)
    if any(isinstance(one, dict | list) for one in value):
        return None
    return tuple(Choice(label, str(text).strip()) for label, text in zip(LETTERS, value, strict=False))
