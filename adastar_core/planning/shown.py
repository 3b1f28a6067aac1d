"""Worked examples that ``adastar init`` proposes for small models: the table's own, else packaged ones of its kind."""

import json
from collections.abc import Iterator, Sequence

from adastar_core.planning.look import TableLook
from adastar_core.problems import arc_challenge, word_problems
from adastar_core.problems.prompts import Exemplar
from adastar_core.records import Observation
from adastar_core.shingles import words
from adastar_core.verifiers.catalogue import VerifierName

COUNT = 4
"""More make prompts longer, and a small model's answers not better."""
_OVER_MEDIAN = 1.5
"""How much longer than the median an example may be: long ones cost room in every prompt."""
_DECLARED = "####"
_PACKAGED: dict[VerifierName, tuple[Exemplar, ...]] = {
    "number": word_problems.EXEMPLARS,
    "choice": arc_challenge.EXEMPLARS,
}


def exemplar_lines(table: TableLook) -> str:
    """Return worked examples as the lines of a file in the table's columns; empty where none fit.

    Options are named as the table's answers name theirs, since one way must fit all rows.
    """
    packaged = () if table.columns.options else _PACKAGED.get(table.verifier, ())[:COUNT]
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
    """Return short worked solutions that differ: examples of one kind teach the form of that kind alone.

    Only those count whose rationale ends where the answer is declared.
    """
    found = []
    for observation, text in zip(table.observations, table.written, strict=True):
        rationale, declared, _ = text.rpartition(_DECLARED)
        if declared and rationale.strip() and not observation.choices:
            found.append(Exemplar(observation, rationale.strip()))
    if not table.solutions or not found:
        return ()
    found.sort(key=_length)
    longest = _length(found[len(found) // 2]) * _OVER_MEDIAN
    short = [one for place, one in enumerate(found) if place < COUNT or _length(one) <= longest]
    return tuple(_differing(short))


def _length(exemplar: Exemplar) -> int:
    return len(exemplar.rationale) + len(exemplar.observation.question)


def _differing(candidates: Sequence[Exemplar]) -> Iterator[Exemplar]:
    """Yield the first candidate, then each time the one whose words are most unlike those of the nearest yielded one."""
    said = [
        frozenset(word for word in words(one.observation.question) if not word.isdigit())
        for one in candidates
    ]
    nearest = [0.0] * len(candidates)
    left = list(range(len(candidates)))
    for _ in range(min(COUNT, len(candidates))):
        chosen = min(left, key=lambda place: (nearest[place], place))
        yield candidates[chosen]
        left.remove(chosen)
        for place in left:
            alike = len(said[place] & said[chosen]) / max(1, len(said[place] | said[chosen]))
            nearest[place] = max(nearest[place], alike)


def _row(table: TableLook, exemplar: Exemplar, *, by_text: bool) -> dict[str, object]:
    asked, columns = exemplar.observation, table.columns
    cells: dict[str, object] = {columns.question: asked.question, "rationale": exemplar.rationale}
    for name in (columns.context, *(name for _, name in columns.options)):
        if name:
            cells[name] = dict(asked.context).get(name, "")
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
