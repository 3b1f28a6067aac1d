"""How many tokens a problem's texts have: its longest prompts, and the means of a sample of its questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import takewhile
from statistics import fmean

from adastar_core import streams
from adastar_core.config import RunConfig
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems import Problem
from adastar_core.records import Observation

SAMPLED = 256
"""Questions that means are taken of: they are then known to about 1 %, and few-shot prompts are long."""
LOOKED_AT = 1000
"""Texts, those with most bytes, among which the one with most tokens is looked for."""
_WHOLE = 32


@dataclass(frozen=True, slots=True)
class Texts:
    """Tokens of a problem's texts: of the longest prompts, and means of all that is read or trained on.

    The means are those of ``sampled`` questions.
    """

    longest_prompt: int
    longest_training_prompt: int
    prompt: float
    hinted_prompt: float
    training_prompt: float
    reference: float
    sampled: int


def measure_texts(
    problem: Problem, observations: Sequence[Observation], vocabulary: Vocabulary, *, seed: int, hints: bool
) -> Texts:
    """Return the lengths of a problem's texts in the model's tokens; hinted prompts are among the longest with ``hints``.

    ``seed`` draws the questions that means are taken of, where there are more than :data:`SAMPLED`.
    """
    drawn = _drawn(observations, seed)

    def mean(render: Callable[[Observation], str]) -> float:
        return fmean(map(len, vocabulary.prompt_ids([render(row) for row in drawn])))

    def longest(render: Callable[[Observation], str]) -> int:
        return longest_of(vocabulary, [render(row) for row in observations])

    prompt = longest(problem.prompt)
    return Texts(
        longest_prompt=max(prompt, longest(problem.hinted_prompt)) if hints else prompt,
        longest_training_prompt=longest(problem.training_prompt),
        prompt=mean(problem.prompt),
        hinted_prompt=mean(problem.hinted_prompt),
        training_prompt=mean(problem.training_prompt),
        reference=mean(problem.reference) + 1,
        sampled=len(drawn),
    )


def longest_of(vocabulary: Vocabulary, prompts: Sequence[str]) -> int:
    """Return the tokens of the longest prompt.

    Most prompts begin alike, with the same worked examples. What follows these is counted of the :data:`LOOKED_AT` prompts
    with most bytes, and then a few of the longest are counted whole.
    """
    first, last = min(prompts), max(prompts)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    alike = first.rfind("\n", 0, alike) + 1  # tokens rarely reach over the end of a line
    longest = nlargest(LOOKED_AT, dict.fromkeys(prompts), key=lambda prompt: len(prompt.encode()))
    counts = map(len, vocabulary.prompt_ids([prompt[alike:] for prompt in longest]))
    whole = nlargest(_WHOLE, zip(counts, longest, strict=True))
    return max(map(len, vocabulary.prompt_ids([prompt for _, prompt in whole])))


def longest_text(config: RunConfig, longest_training_prompt: int) -> int:
    """Return the tokens of the longest text that can be trained on."""
    return min(config.trainer.max_length, longest_training_prompt + config.generator.max_new_tokens + 1)


def _drawn(observations: Sequence[Observation], seed: int) -> Sequence[Observation]:
    if len(observations) <= SAMPLED:
        return observations
    places = streams.rng(seed, "plan").choice(len(observations), SAMPLED, replace=False)
    return [observations[place] for place in sorted(places)]
