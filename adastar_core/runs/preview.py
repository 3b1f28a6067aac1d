"""The first prompt as the model gets it, what would be trained, and what the verifier makes of right and wrong answers.

What is most often wrong with a run is visible here before anything is spent: the prompt's format, the end of a response,
and how an answer must be declared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from adastar_core.config import RunConfig
from adastar_core.machine.visible import visible
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems import Problem
from adastar_core.records import FinishReason, Observation, Outcome, Verdict

_WRONG = 3
_SEARCHED = 500
_NO_ANSWER = ("I do not know.", "")
_INDENT = "    "
_END = "\N{RETURN SYMBOL}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as the model reads it, special tokens spelled out, and how many tokens it has."""

    title: str
    text: str
    tokens: int

    def lines(self, most: int | None) -> Iterator[str]:
        """Yield the title and the text's lines, ends marked; the middle of more than ``most`` lines is left out."""
        yield f"{self.title}, {self.tokens:,} tokens:"
        lines = [f"{visible(line)}{_END}" for line in self.text.split("\n")]
        lines[-1] = lines[-1].removesuffix(_END)
        lines = lines if lines[-1] else lines[:-1]
        if most is not None and len(lines) > most:
            head, tail = lines[: most // 2], lines[-(most // 2) :]
            lines = [*head, f"... {len(lines) - len(head) - len(tail)} lines; --dry-run shows all ...", *tail]
        yield from (_INDENT + line for line in lines)


@dataclass(frozen=True, slots=True)
class Judged:
    """An example of a response to the first question, and the verdict on it."""

    what: str
    response: str
    verdict: Verdict

    @property
    def line(self) -> str:
        response = visible(repr(self.response)) if self.response else "nothing"
        return f"{_INDENT}{self.what}: {response} is {self.verdict.outcome} ({self.verdict.reason})"


@dataclass(frozen=True, slots=True)
class Preview:
    """What :func:`preview` found out about the first training question."""

    observation: Observation
    texts: tuple[Shown, ...]
    judged: tuple[Judged, ...]

    def lines(self, most: int | None = None) -> list[str]:
        """Return the preview for people; texts of more than ``most`` lines are shortened."""
        version = self.judged[0].verdict.verifier
        return [
            *(line for shown in self.texts for line in shown.lines(most)),
            f"What the verifier {version} makes of answers to it:",
            *(one.line for one in self.judged),
        ]


def preview(
    config: RunConfig, problem: Problem, pool: Sequence[Observation], vocabulary: Vocabulary
) -> Preview:
    """Return what the model would get for the first question of the pool; nothing is generated."""
    first = pool[0]
    return Preview(
        first, tuple(_texts(config, problem, first, vocabulary)), tuple(_judged(problem, first, pool))
    )


def _texts(
    config: RunConfig, problem: Problem, first: Observation, vocabulary: Vocabulary
) -> Iterator[Shown]:
    def shown(title: str, prompt: str, response: Sequence[int] = ()) -> Shown:
        ids = [*vocabulary.prompt_ids([prompt])[0], *response]
        return Shown(title, vocabulary.spelt(ids), len(ids))

    row, training = visible(first.shown), problem.training_prompt(first)
    reference = vocabulary.completed(problem.reference(first), (), chat=config.prompt.chat)
    if config.rationales == "model":
        yield shown(f"First prompt, row {row}, as the model gets it", problem.prompt(first))
        if config.rationalize:
            yield shown("With the answer as a hint, after a wrong attempt", problem.hinted_prompt(first))
    yield shown("Training text, here with the reference alone as the rationale", training, reference)
    evaluation = problem.evaluation_prompt(first, config.evaluation.shots)
    if evaluation not in (training, problem.prompt(first)):
        yield shown("Prompt of an evaluation", evaluation)


def _judged(problem: Problem, first: Observation, pool: Sequence[Observation]) -> Iterator[Judged]:
    def judge(what: str, response: str) -> Judged:
        return Judged(what, response, problem.verifier.verify(first, response, FinishReason.EOS))

    yield judge("reference", problem.reference(first))
    yield judge("the same, not declared as the answer", first.answer)
    others = (judge("wrong", response) for response in _other_answers(problem, first, pool))
    # another row's answer may be spelt differently and be the same
    wrong = (one for one in others if first.choices or one.verdict.outcome is not Outcome.RIGHT)
    yield from [*islice(wrong, _WRONG), *(judge("wrong", response) for response in _NO_ANSWER)][:_WRONG]


def _other_answers(problem: Problem, first: Observation, pool: Sequence[Observation]) -> Iterator[str]:
    """Yield declarations of other answers: of the question's other options, or of other rows."""
    if first.choices:
        labels = (choice.label for choice in first.choices if choice.label != first.answer)
        yield from (problem.verifier.declare(replace(first, answer=label)) for label in labels)
    else:
        yield from dict.fromkeys(problem.reference(row) for row in pool[1:_SEARCHED])
