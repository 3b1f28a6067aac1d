"""Reference answers, read at load by the verifier that will judge against them, as it reads responses.

A reference that the verifier cannot read makes every response to its question wrong or undecided, so it is refused
before anything is spent.
"""

from collections.abc import Sequence

from adastar_core.errors import DataError
from adastar_core.problems.rows import Row
from adastar_core.records import FinishReason, Observation, Outcome
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.catalogue import VerifierName
from adastar_core.verifiers.numbers import states_one_number
from adastar_core.verifiers.patterns import BOXED, HASHES, answer_part, declared_answers

_SHOWN = 3
_KINDS: dict[VerifierName, str] = {
    "number": "one number",
    "choice": "one of the options",
    "yes_no": "yes or no",
    "label": "one of the classes",
    "math": "a formula",
    "exact": "one line of text",
}


def declared_or_whole(text: str) -> str:
    """Return the answer that a worked solution declares, ``18`` of ``9 * 2 = 18 #### 18``; else the text itself.

    Where it declares several, the last ``####`` counts, else the last box, else the last sentence.
    """
    declared = declared_answers(answer_part(text))
    if not declared:
        return text
    last = [one for one in declared if one.pattern == declared[0].pattern][-1]
    return last.text.strip() if last.pattern in (HASHES, BOXED) else last.text.strip().rstrip(".")


def contradicts_itself(verifier: Verifier, observation: Observation, solution: str) -> bool:
    """Return whether a solution declares an answer that is wrong by the reference that was taken from it."""
    declared = [" ".join(one.text.split()) for one in declared_answers(answer_part(solution))]
    verdicts = [verifier.verify(observation, f"#### {text}", FinishReason.EOS) for text in declared]
    return any(verdict.outcome is Outcome.WRONG for verdict in verdicts)


def is_reference(kind: VerifierName, verifier: Verifier, observation: Observation, response: str) -> bool:
    """Return whether the observation's answer is one that the verifier can find right.

    Args:
        kind: The verifier's name.
        verifier: What will judge.
        observation: Its answer is the reference.
        response: A response that declares the reference.
    """
    labels = [choice.label for choice in observation.choices]
    if labels and observation.answer not in labels:
        return False
    if kind == "number" and not states_one_number(observation.answer):
        return False
    return verifier.verify(observation, response, FinishReason.EOS).outcome is Outcome.RIGHT


def unreadable(
    kind: VerifierName, rows: Sequence[tuple[Row, Observation]], count: int, remedy: str
) -> DataError:
    """Return the one error about all references that cannot be read.

    Args:
        kind: The verifier's name.
        rows: Each row with what was made of it.
        count: How many rows were read.
        remedy: What may be done besides fixing the rows.
    """
    return DataError(
        f"{_first(rows)}: {len(rows):,} of {count:,} reference answers cannot be read as "
        f"{_KINDS[kind]}, which the verifier {kind} compares. Fix these rows{remedy}."
    )


def contradictory(rows: Sequence[tuple[Row, Observation]], count: int, remedy: str) -> DataError:
    """Return the one error about all solutions that declare answers which differ.

    Args:
        rows: Each row with what was made of it, whose answer is the last one that it declares.
        count: How many rows were read.
        remedy: What may be done besides fixing the rows.
    """
    return DataError(
        f"{_first(rows)}: {len(rows):,} of {count:,} solutions declare two different answers, of which this is the one "
        f"that would count. Leave only the right one in these rows{remedy}."
    )


def _first(rows: Sequence[tuple[Row, Observation]]) -> str:
    """Return the file and the first rows with their references."""
    source = rows[0][0].source
    first = [
        f"{'' if row.source == source else row.source + ', '}row {row.number}: {_shown(one)}"
        for row, one in rows[:_SHOWN]
    ]
    return f"{source}, {', '.join(first)}{', ...' if len(rows) > _SHOWN else ''}"


def _shown(one: Observation) -> str:
    written = repr(one.answer if len(one.answer) <= 60 else f"{one.answer[:28]} ... {one.answer[-28:]}")
    labels = [choice.label for choice in one.choices]
    if not labels or one.answer in labels:
        return written
    return f"{written} is none of the choices {', '.join(labels)}"
