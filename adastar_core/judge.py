"""Judging a file of responses, so that anyone can check a verifier: ``adastar judge``."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from adastar_core.errors import ConfigError
from adastar_core.problems import Problem
from adastar_core.problems.arithmetic import Arithmetic, parse_question
from adastar_core.problems.few_shot import FewShotProblem
from adastar_core.problems.rows import Row, parse_row
from adastar_core.records import FinishReason, Observation, Verdict
from adastar_core.store.bulk import storable
from adastar_core.verifiers.batch import Response, verify_all

_AT_ONCE = 256
_ADDITION = re.compile(r"\d{1,12}\+\d{1,12}")


@dataclass(frozen=True, slots=True)
class Judged:
    """One line's verdict."""

    number: int
    verdict: Verdict

    def as_json(self) -> dict[str, str | None]:
        """Return the verdict as ``{"verdict", "extracted", "found_by", "reason", "verifier"}``."""
        verdict = self.verdict
        return {
            "verdict": verdict.outcome.value,
            "extracted": verdict.extracted,
            "found_by": verdict.found_by,
            "reason": verdict.reason,
            "verifier": verdict.verifier,
        }


def judge(problem: Problem, lines: Iterable[str], source: str) -> Iterator[Judged]:
    """Yield a verdict for every line ``{"row": <row in the data set's schema>, "response": text}``, in order.

    A line may also have ``"finish_reason"``: ``eos`` (default), ``stop``, ``length`` or ``special``.

    Args:
        problem: What the responses answer; its data is not read.
        lines: The lines of a file.
        source: What the file is called in errors.

    Raises:
        DataError: A line is empty or broken, or lacks a field; the message has its number.
        ConfigError: The problem has no rows that a line could hold.
    """
    read = row_reader(problem)
    numbered = enumerate(lines, start=1)
    while chunk := list(islice(numbered, _AT_ONCE)):
        responses = [_response(parse_row(source, number, line), read) for number, line in chunk]
        verdicts = verify_all(problem.verifier, responses)
        yield from (Judged(number, verdict) for (number, _), verdict in zip(chunk, verdicts, strict=True))


def _response(line: Row, read: Callable[[Row], Observation]) -> Response:
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
    return (
        read(Row(line.source, line.number, values).checked()),
        storable(response),
        FinishReason(str(finish)),
    )


def row_reader(problem: Problem) -> Callable[[Row], Observation]:
    """Return what makes an observation of one row of the problem's data.

    Raises:
        ConfigError: The problem has no rows.
    """
    if isinstance(problem, FewShotProblem):
        return problem.read
    if isinstance(problem, Arithmetic):
        return _addition
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
