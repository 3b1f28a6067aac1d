"""One format for generation, training and evaluation: ``Q:``, the options, ``A:``, a rationale, an answer.

The prompt ends with ``A:`` without a space, so that the first token of the response carries it, as in text
that models are trained on.
"""

from dataclasses import dataclass

from adastar_core.records import LETTERS, Choice, Observation
from adastar_core.verifiers import Verifier

STOP = ("\n\nQ:", "\nQ:")


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A worked example: an observation and the rationale that a good response to it has."""

    observation: Observation
    rationale: str

    @classmethod
    def all_of(cls, text: str, choices: tuple[Choice, ...] = ()) -> "tuple[Exemplar, ...]":
        """Return the examples of a text, a paragraph each: ``question | option | ...``, ``A: rationale #### answer``.

        Options, where a paragraph has them, are labelled A, B, ...; else ``choices`` are those of every example.
        """
        found = []
        for paragraph in text.strip().split("\n\n"):
            asked, _, answered = paragraph.partition("\nA: ")
            question, *options = asked.split(" | ")
            rationale, _, answer = answered.rpartition(" #### ")
            own = tuple(Choice(label, option) for label, option in zip(LETTERS, options, strict=False))
            found.append(cls(Observation("", question, answer, own or choices), rationale))
        return tuple(found)


def question(observation: Observation, *, hinted: bool = False) -> str:
    """Return the question with its options and, when hinted, its reference answer, up to ``A:``."""
    lines = [f"Q: {observation.question}{hint(observation) if hinted else ''}"]
    if observation.choices:
        lines += ["Options:", *(f"({choice.label}) {choice.text}" for choice in observation.choices)]
    return "\n".join([*lines, "A:"])


def hint(observation: Observation) -> str:
    """Return how a question shows its reference answer, e.g. ``" (B)"`` (rationalization, section 2 of STaR)."""
    return f" ({observation.answer})"


def worked(verifier: Verifier, exemplar: Exemplar, *, hinted: bool = False) -> str:
    """Return an exemplar as it precedes the question, with the blank line that separates them."""
    asked = question(exemplar.observation, hinted=hinted)
    return f"{asked} {exemplar.rationale}{verifier.declare(exemplar.observation)}\n\n"
