"""How models really end: whole responses, each with the outcomes that a careful reader allows.

Each line of ``endings/*.jsonl`` has ``row``, ``response``, ``expected`` (outcomes joined by ``|``) and ``note``; the file's
name begins with the verifier, and says ``fall_back`` where the last answer counts. The collection of small inputs that lies
beside the repository, where there is one, has the same form.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from adastar_core.audit.responses import judge
from adastar_core.errors import DataError
from adastar_core.problems import Problem
from adastar_core.problems.catalogue import AnyProblemSettings, open_problem
from adastar_core.problems.loading import RowProblem
from adastar_core.verifiers.catalogue import VERIFIER_NAMES
from adastar_core.verifiers.math import MathVerifier

HERE = Path(__file__).parent / "endings"
BESIDE = Path(__file__).resolve().parents[4] / "shared" / "cases"
FILES = [path for folder in (HERE, BESIDE) for path in sorted(folder.glob("*.jsonl"))]


@dataclass(frozen=True)
class Line:
    """One line of a file: where it is, and what it says."""

    place: str
    text: str
    expected: list[str]

    @property
    def row(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.text)["row"]
        return found


def lines(path: Path) -> list[Line]:
    texts = path.read_text("utf-8").splitlines()
    return [
        Line(f"{path.name}:{number}", text, json.loads(text)["expected"].split("|"))
        for number, text in enumerate(texts, start=1)
    ]


def problem_for(name: str, row: dict[str, object]) -> Problem:
    """Return the problem that a file's name stands for; an integer among plain options counts them from 0."""
    settings: dict[str, object] = {"type": "gsm8k"}
    if not name.startswith("gsm8k"):
        verifier = next(verifier for verifier in VERIFIER_NAMES if name.startswith(verifier))
        settings = {"type": "table", "path": "rows.jsonl", "verifier": verifier}
    if "choices" in row:
        counted = isinstance(row["answer"], int) and isinstance(row["choices"], list)
        settings |= {"choices": "choices", "answer_as": "index_from_0" if counted else "auto"}
    settings["fall_back"] = "fall_back" in name
    return open_problem(TypeAdapter(AnyProblemSettings).validate_python(settings))


def miss(name: str, line: Line, formulas: MathVerifier) -> str | None:
    """Return what is wrong with the verdict on a line; a refused reference accepts nothing, like ``undecided``."""
    problem = problem_for(name, line.row)
    if name.startswith("math"):
        assert isinstance(problem, RowProblem)
        problem.verifier = formulas
    try:
        (judged,) = judge(problem, [line.text], name)
    except DataError as error:
        return None if "undecided" in line.expected else f"{line.place}: {error}"
    verdict = judged.verdict
    if verdict.outcome in line.expected:
        return None
    return (
        f"{line.place}: {verdict.outcome}, not {' or '.join(line.expected)} ({verdict.reason}): {line.text}"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_ending_is_judged_as_a_careful_reader_would(path: Path, formulas: MathVerifier) -> None:
    found = [text for line in lines(path) if (text := miss(path.name, line, formulas))]
    assert not found, "\n".join([f"{len(found)} lines are judged otherwise:", *found])
