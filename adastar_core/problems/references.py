"""Reference answers, read at load by the verifier that will judge against them, as it reads responses.

A reference that the verifier cannot read makes every response to its question wrong or undecided, so it is refused
before anything is spent.
"""

from collections.abc import Sequence

from adastar_core.errors import DataError
from adastar_core.problems.rows import Row
from adastar_core.records import FinishReason, Observation, Outcome
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.declarations import BOXED, COLON, HASHES, SENTENCE, declared_answers
from adastar_core.verifiers.number import NumberVerifier
from adastar_core.verifiers.numbers import reference_number
from adastar_core.verifiers.own import own_part

_SHOWN = 3
_KINDS = {
    "number": "one number",
    "choice": "one of the options",
    "yes_no": "yes or no",
    "label": "one of the classes",
    "math": "a formula",
    "exact": "one line of text",
    "expression": "an expression of whole numbers with + - * ( )",
}


def declared_or_whole(text: str) -> str:
    """Return the answer that a worked solution declares, ``18`` of ``9 * 2 = 18 #### 18``; else the text itself.

    Where it declares several, the last ``####`` counts, else the last box, else the last sentence.
    """
    declared = declared_answers(own_part(text).text)
    for pattern in (HASHES, BOXED, SENTENCE, COLON):
        stated = [answer.text.strip() for answer in declared if answer.pattern == pattern]
        if stated:
            return stated[-1] if pattern in (HASHES, BOXED) else stated[-1].rstrip(".")
    return text


def contradicts_itself(verifier: Verifier, observation: Observation, solution: str) -> bool:
    """Return whether a solution declares an answer that is wrong by the reference that was taken from it."""
    declared = [" ".join(answer.text.split()) for answer in declared_answers(own_part(solution).text)]
    verdicts = [verifier.verify(observation, f"#### {text}", FinishReason.EOS) for text in declared]
    return any(verdict.outcome is Outcome.WRONG for verdict in verdicts)


def is_reference(verifier: Verifier, observation: Observation, declaration: str) -> bool:
    """Return whether the verifier can find the observation's answer right in a declaration of it or of an equal one."""
    labels = [choice.label for choice in observation.choices]
    if labels and observation.answer not in labels:
        return False
    if isinstance(verifier, NumberVerifier) and reference_number(observation.answer) is None:
        return False
    return verifier.verify(observation, declaration, FinishReason.EOS).outcome is Outcome.RIGHT


def unreadable(
    verifier: Verifier, rows: Sequence[tuple[Row, Observation]], count: int, remedy: str
) -> DataError:
    """Return the one error about all references that cannot be read, of ``count`` rows."""
    begins = f"{_first(rows)}: {len(rows):,} of {count:,} reference answers"
    name = verifier.version.partition("/")[0]
    if name in _KINDS:
        return DataError(
            f"{begins} cannot be read as {_KINDS[name]}, which the verifier {name} compares. Fix these rows{remedy}."
        )
    declaration = verifier.declare(rows[0][1])
    verdict = verifier.verify(rows[0][1], declaration, FinishReason.EOS)
    return DataError(
        f"{begins} are not right by the verifier {verifier.version}. It finds the response {declaration!r} {verdict.outcome} "
        f"({verdict.reason}); fix these rows, or how it reads and declares answers."
    )


def contradictory(rows: Sequence[tuple[Row, Observation]], count: int, remedy: str) -> DataError:
    """Return the one error about all solutions that declare different answers."""
    return DataError(
        f"{_first(rows)}: {len(rows):,} of {count:,} solutions declare two different answers, of which this is the one "
        f"that would count. Leave only the right one in these rows{remedy}."
    )


def _first(rows: Sequence[tuple[Row, Observation]]) -> str:
    source = rows[0][0].source
    first = [
        f"{'' if row.source == source else row.source + ', '}row {row.number}: {_shown(observation)}"
        for row, observation in rows[:_SHOWN]
    ]
    return f"{source}, {', '.join(first)}{', ...' if len(rows) > _SHOWN else ''}"


def _shown(observation: Observation) -> str:
    answer, labels = observation.answer, [choice.label for choice in observation.choices]
    written = repr(answer if len(answer) <= 60 else f"{answer[:28]} ... {answer[-28:]}")
    return (
        written if not labels or answer in labels else f"{written} is none of the choices {', '.join(labels)}"
    )
