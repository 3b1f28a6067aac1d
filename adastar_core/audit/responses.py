"""Judges a file of responses, to check a verifier by hand: ``adastar judge``."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from adastar_core.errors import ConfigError
from adastar_core.problems import Problem, countdown
from adastar_core.problems.arithmetic import Arithmetic, parse_question
from adastar_core.problems.loading import RowProblem
from adastar_core.problems.rows import Row, parse_row
from adastar_core.records import FinishReason, Observation, Verdict
from adastar_core.store.bulk import storable
from adastar_core.verifiers import Response
from adastar_core.verifiers.batch import verify_all

_AT_ONCE = 256
_ADDITION = re.compile(r"\d{1,12}\+\d{1,12}")
_PUZZLE = re.compile(r"[1-9](?: [1-9]){1,3} -> [1-9][0-9]?")


@dataclass(frozen=True, slots=True)
class JudgedLine:
    """One line's verdict."""

    number: int
    verdict: Verdict
    response: str

    def as_json(self) -> dict[str, object]:
        """Return the verdict; ``read`` is the part of the response that was taken for its answer, at the place ``span``."""
        verdict = self.verdict
        return {
            "verdict": verdict.outcome.value,
            "extracted": verdict.extracted,
            "found_by": verdict.found_by,
            "read": self.response[slice(*verdict.span)] if verdict.span else None,
            "span": verdict.span,
            "reason": verdict.reason,
            "verifier": verdict.verifier,
        }


def judge(problem: Problem, lines: Iterable[str], source: str) -> Iterator[JudgedLine]:
    """Yield a verdict for every line ``{"row": <row in the data set's schema>, "response": text}``, in order.

    A line may also have ``"finish_reason"``: ``eos`` (default), ``stop``, ``length`` or ``special``. As in a data set,
    all rows together decide how answers name their options, so all are read before the first is judged.

    ``source`` names the file in messages. The problem's own data is not read.

    Raises:
        DataError: A line is empty or broken, or lacks a field; the message has its number.
        ConfigError: The problem does not read rows.
    """
    given = [_response(parse_row(source, number, line)) for number, line in enumerate(lines, start=1)]
    read = row_reader(problem, [row for row, _, _ in given])
    for start in range(0, len(given), _AT_ONCE):
        chunk = given[start : start + _AT_ONCE]
        responses: list[Response] = [(read(row), response, finish) for row, response, finish in chunk]
        verdicts = verify_all(problem.verifier, responses)
        for (row, response, _), verdict in zip(chunk, verdicts, strict=True):
            yield JudgedLine(row.number, verdict, response)


def _response(line: Row) -> tuple[Row, str, FinishReason]:
    values = line.value("row")
    response = line.value("response")
    if not isinstance(values, dict):
        raise line.broken(
            f"the field 'row' is a {type(values).__name__}, not an object. Write the row as the data set has it."
        )
    if not isinstance(response, str):
        raise line.broken(f"the field 'response' is a {type(response).__name__}, not text.")
    finish = line.values.get("finish_reason", FinishReason.EOS.value)
    if finish not in list(FinishReason):
        raise line.broken(f"the field 'finish_reason' is {finish!r}. Give one of {', '.join(FinishReason)}.")
    row = Row(line.source, line.number, values).checked()
    return row, storable(response), FinishReason(str(finish))


def row_reader(problem: Problem, rows: Sequence[Row]) -> Callable[[Row], Observation]:
    """Return a function that reads one of these rows of the problem's data as an observation.

    Raises:
        ConfigError: The problem does not read rows.
    """
    if isinstance(problem, RowProblem):
        return problem.reader(rows)
    if isinstance(problem, Arithmetic):
        return _addition
    if isinstance(problem, countdown.Countdown):
        return _puzzle
    raise ConfigError(
        f"The problem {problem.name} has no rows to judge responses to. Choose another --problem."
    )


def _addition(row: Row) -> Observation:
    """Read ``{"question": "347+585"}``."""
    question = row.text("question")
    if not _ADDITION.fullmatch(question):
        raise row.broken(f"the question {question!r} is not an addition like '347+585'.")
    addition = parse_question(question)
    return Observation(question, question, str(addition.a + addition.b))


def _puzzle(row: Row) -> Observation:
    """Read ``{"question": "3 4 7 -> 25"}``; its reference is a solution that is found."""
    question = row.text("question")
    if not _PUZZLE.fullmatch(question):
        raise row.broken(f"the question {question!r} is not a puzzle like '3 4 7 -> 25'.")
    try:
        return countdown.observation_of(countdown.parse_question(question))
    except KeyError:
        raise row.broken(f"the puzzle {question!r} has no solution.") from None
