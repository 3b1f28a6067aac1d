"""Your own data: any table with a question and an answer per row."""

from pathlib import Path
from typing import Literal

from adastar_core.confine import confined
from adastar_core.problems.choices import label_of, read_choices
from adastar_core.problems.few_shot import Benchmark, DataSettings, FewShotProblem
from adastar_core.problems.prompts import Exemplar
from adastar_core.problems.rows import Row, read_rows
from adastar_core.records import Observation
from adastar_core.settings import setting
from adastar_core.verifiers.catalogue import VerifierName


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
    rows = read_rows(confined(Path(settings.exemplars).expanduser(), "problem.exemplars"))
    return tuple(Exemplar(_observation(row, settings), row.text("rationale")) for row in rows)


def _observation(row: Row, settings: TableSettings) -> Observation:
    choices = read_choices(row, settings.choices) if settings.choices else ()
    answer = row.value(settings.answer)
    return Observation(
        observation_id=row.text(settings.id) if settings.id else "",
        question=row.text(settings.question),
        answer=label_of(answer, choices) or row.text(settings.answer),
        choices=choices,
        difficulty=row.text(settings.difficulty) if settings.difficulty else None,
    )
