"""Worked examples that ``adastar init`` proposes for small models: the table's own, else packaged ones of its kind."""

import json

from adastar_core.planning.look import TableLook
from adastar_core.problems import arc_challenge, word_problems
from adastar_core.problems.prompts import Exemplar
from adastar_core.records import Observation
from adastar_core.verifiers.catalogue import VerifierName

COUNT = 4
"""More make prompts longer, and a small model's answers not better."""
_DECLARED = "####"
_PACKAGED: dict[VerifierName, tuple[Exemplar, ...]] = {
    "number": word_problems.EXEMPLARS,
    "choice": arc_challenge.EXEMPLARS,
}


def exemplar_lines(table: TableLook) -> str:
    """Return worked examples as the lines of a file in the table's columns; empty where none fit.

    Options are named as the table's answers name theirs, since one way must fit all rows.
    """
    packaged = _PACKAGED.get(table.verifier, ())[:COUNT]
    by_text = bool(table.columns.choices) and all(
        any(text == choice.text for choice in row.choices)
        for row, text in zip(table.observations, table.written, strict=True)
    )
    by_label = all(
        row.answer == text for row, text in zip(table.observations, table.written, strict=True) if row.choices
    )
    if not by_text and not by_label:
        packaged = ()
    shown = _own(table) or packaged
    return "".join(json.dumps(_row(table, one, by_text=by_text), ensure_ascii=False) + "\n" for one in shown)


def _own(table: TableLook) -> tuple[Exemplar, ...]:
    """Return the shortest worked solutions, whose rationale ends where the answer is declared."""
    found = []
    for observation, text in zip(table.observations, table.written, strict=True):
        rationale, declared, _ = text.rpartition(_DECLARED)
        if declared and rationale.strip() and not observation.choices:
            found.append(Exemplar(observation, rationale.strip()))
    found.sort(key=lambda one: len(one.rationale) + len(one.observation.question))
    return tuple(found[:COUNT]) if table.solutions else ()


def _row(table: TableLook, exemplar: Exemplar, *, by_text: bool) -> dict[str, object]:
    asked, columns = exemplar.observation, table.columns
    cells: dict[str, object] = {columns.question: asked.question, "rationale": exemplar.rationale}
    if columns.context:
        cells[columns.context] = dict(asked.context).get(columns.context, "")
    if columns.choices:
        cells[columns.choices] = [choice.text for choice in asked.choices]
    cells[columns.answer] = _text_of(asked) if by_text else asked.answer
    if columns.id:
        cells[columns.id] = f"example: {asked.question[:40]}"
    return _nested(cells)


def _text_of(observation: Observation) -> str:
    return next(choice.text for choice in observation.choices if choice.label == observation.answer)


def _nested(cells: dict[str, object]) -> dict[str, object]:
    """Return a row in which ``a.b`` is the field ``b`` of the object ``a``."""
    row: dict[str, object] = {}
    for name, value in cells.items():
        *outer, last = name.split(".")
        inner = row
        for key in outer:
            inner = inner.setdefault(key, {})  # type: ignore[assignment]
        inner[last] = value
    return row
