"""The options of a multiple-choice question in every shape that data sets have them."""

import json

from adastar_core.problems.rows import Row
from adastar_core.records import Choice

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def read_choices(row: Row, field: str) -> tuple[Choice, ...]:
    """Return the options that a row holds.

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


def label_of(answer: object, choices: tuple[Choice, ...]) -> str | None:
    """Return the label that an answer names: by itself, by a choice's text, or by a 0-based index."""
    labels = [choice.label for choice in choices]
    if str(answer).strip() in labels:
        return str(answer).strip()
    texts = [choice.label for choice in choices if choice.text == str(answer).strip()]
    if len(texts) == 1:
        return texts[0]
    is_index = isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(choices)
    return labels[answer] if is_index and isinstance(answer, int) else None
