"""One format for generation, training and evaluation: by default ``Q:``, the options, ``A:``, a rationale, an answer.

That prompt ends with ``A:`` without a space, so that the first token of the response carries it, as in text
that models are trained on.
"""

from dataclasses import dataclass

from adastar_core.problems.template import Template
from adastar_core.records import LETTERS, Choice, Observation
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.own import TURN_STARTS

PLAIN = Template("Q: {question}\nA:")
WITH_OPTIONS = Template("Q: {question}\nOptions:\n{choices}\nA:")


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


def question(observation: Observation, template: Template | None = None, *, hinted: bool = False) -> str:
    """Return the prompt of a question and, when hinted, its reference answer; by default up to ``A:``."""
    form = template or (WITH_OPTIONS if observation.choices else PLAIN)
    return form.fill(observation, after=hint(observation) if hinted else "")


def stops(template: Template | None) -> tuple[str, ...]:
    """Return where the model goes on as somebody else: with the next question, as its prompt began, or with a usual name."""
    mark = (template or PLAIN).beginning
    return (*((f"\n\n{mark}", f"\n{mark}") if mark else ()), *TURN_STARTS)


def hint(observation: Observation) -> str:
    """Return how a question shows its reference answer, e.g. ``" (B)"`` (rationalization, section 2 of STaR)."""
    return f" ({observation.answer})"


def worked(
    verifier: Verifier, exemplar: Exemplar, template: Template | None = None, *, hinted: bool = False
) -> str:
    """Return an exemplar as it precedes the question, with the blank line that separates them."""
    asked = question(exemplar.observation, template, hinted=hinted)
    return f"{asked}{answered(asked, exemplar.rationale)}{verifier.declare(exemplar.observation)}\n\n"


def answered(asked: str, rationale: str) -> str:
    """Return a rationale as a model writes it after a prompt: with the space that the prompt's end leaves to it."""
    return rationale if asked[-1:].isspace() else f" {rationale}"
