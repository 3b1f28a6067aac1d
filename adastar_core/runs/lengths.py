"""Whether texts fit what the model and the training can take, checked before anything is spent.

A prompt that leaves no room for a single token is refused when the run is opened. If a prompt leaves less than
``generator.max_new_tokens``, a rationale is cut at the model's last position, and one that is right but too long to train
is rejected with its reason.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from unicodedata import normalize

from adastar_core.config import RunConfig
from adastar_core.errors import DataError
from adastar_core.generators.catalogue import choose_engine
from adastar_core.models.source import parameter_count, positions_of
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems import Problem
from adastar_core.records import Observation, Rejection, RejectionReason, Split

_FORMS: Final = ("NFC", "NFD", "NFKC", "NFKD")
_SPECIAL = 16
"""Tokens at most that a tokenizer adds to a text; the rest are no more than its bytes, however it normalises them."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most tokens that a text may have.

    Attributes:
        name: What sets it, with its value: ``trainer.max_length (1024)``.
        fix: What to do about a prompt that leaves no room.
        cuts: Whether a longer text is cut or left out of training; an engine refuses it instead.
    """

    tokens: int
    name: str
    fix: str
    cuts: bool = True

    @classmethod
    def of_positions(cls, count: int) -> "Limit":
        fix = "Shorten the question or its examples, use a model with more positions"
        return cls(count, f"the model's positions ({count})", fix)


def training_limit(config: RunConfig, model: Path) -> Limit:
    """Return the most tokens of prompt and rationale together that can be trained on."""
    own, positions = config.trainer.max_length, positions_of(model)
    if positions is not None and positions < own:
        return Limit.of_positions(positions)
    return Limit(own, f"trainer.max_length ({own})", "Raise trainer.max_length")


def generation_limit(config: RunConfig, model: Path) -> Limit:
    """Return the most tokens of prompt and rationale together that can be generated."""
    longest, positions = config.generator.vllm.longest_text, positions_of(model) or sys.maxsize
    if longest is None or longest >= positions:
        return Limit.of_positions(positions)
    if choose_engine(config.generator, parameter_count(model)).engine != "vllm":
        return Limit.of_positions(positions)
    name = "generator.vllm.longest_text"
    return Limit(longest, f"{name} ({longest})", f"Raise {name}", cuts=False)


@dataclass(frozen=True, slots=True)
class Room:
    """Decides which rationales can be trained on; ``limit`` is that of prompt and rationale together."""

    problem: Problem
    vocabulary: Vocabulary
    chat: bool
    limit: Limit

    def rejection(self, observation: Observation, response: str, tokens: Sequence[int]) -> Rejection | None:
        """Return why a right response cannot be trained on; ``None`` if it can.

        ``tokens`` are the response's ids as generated; empty if they are not known.
        """
        prompt = self.problem.training_prompt(observation)
        if _surely_fits([prompt, "" if tokens else response], self.limit.tokens - len(tokens)):
            return None
        completion = self.vocabulary.completed(response, tokens, chat=self.chat)
        count = len(self.vocabulary.prompt_ids([prompt])[0]) + len(completion)
        if count <= self.limit.tokens:
            return None
        long = f"prompt and rationale have {count} tokens, more than {self.limit.name}"
        return Rejection(RejectionReason.NO_ROOM, long)


def check_room(
    config: RunConfig, problem: Problem, splits: Mapping[Split, Sequence[Observation]], model: Path
) -> tuple[str, ...]:
    """Refuse prompts that leave no room; return a note, one sentence, on each kind of those that leave little.

    Raises:
        DataError: Names the longest such prompt, its tokens, and the limit.
    """
    vocabulary, longest = Vocabulary.of(model), config.generator.max_new_tokens
    lengths = _Lengths(vocabulary)
    reading, training = generation_limit(config, model), training_limit(config, model)
    train, notes = splits[Split.TRAIN], []
    for split, observations in splits.items():
        new = longest if split is Split.TRAIN else config.evaluation.max_new_tokens or longest
        for what, prompts in _read(config, problem, split, observations):
            notes += _check(f"{what} of {split}", prompts, observations, reading, new, lengths)
    references = config.rationales == "reference"
    shortest = 2 if references else longest + 1  # a token and an end
    prompts = map(problem.training_prompt, train)
    notes += _check("training prompt of train", prompts, train, training, shortest, lengths)
    if references:
        room = Room(problem, vocabulary, config.prompt.chat, training)
        judged = ((row, room.rejection(row, problem.reference(row), ())) for row in train)
        if long := [(row.shown, rejection.detail) for row, rejection in judged if rejection]:
            name, detail = long[0]
            notes.append(
                f"Of {len(train):,} rows, {len(long):,} are too long to train on; the first is {name}: {detail}."
            )
    return tuple(notes)


def check_prompts(
    config: RunConfig, what: str, prompts: Iterable[str], observations: Sequence[Observation], model: Path
) -> None:
    """Refuse prompts behind which an answer has no room; raises :class:`DataError` naming the longest one."""
    new = config.evaluation.max_new_tokens or config.generator.max_new_tokens
    _check(what, prompts, observations, generation_limit(config, model), new, _Lengths(Vocabulary.of(model)))


def _read(
    config: RunConfig, problem: Problem, split: Split, observations: Sequence[Observation]
) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield every kind of prompt that is generated from."""
    if split is not Split.TRAIN:
        shots = config.evaluation.shots
        yield "evaluation prompt", (problem.evaluation_prompt(row, shots) for row in observations)
    elif config.rationales == "model":
        yield "prompt", map(problem.prompt, observations)
        if config.rationalize:
            yield "hinted prompt", map(problem.hinted_prompt, observations)


def _check(
    what: str,
    prompts: Iterable[str],
    observations: Sequence[Observation],
    limit: Limit,
    new: int,
    lengths: "_Lengths",
) -> list[str]:
    """Return a note if ``new`` tokens may not fit behind a prompt.

    Raises:
        DataError: Not even one does, or the engine would refuse them.
    """
    # Bytes bound tokens from above: nearly all prompts are settled without the tokenizer.
    long = {place: text for place, text in enumerate(prompts) if not _surely_fits([text], limit.tokens - new)}
    tokens = dict(zip(long, lengths.of(long.values()), strict=True))
    tight = [place for place, count in tokens.items() if count + new > limit.tokens]
    if not tight:
        return []
    longest = max(tight, key=tokens.__getitem__)
    name, count = observations[longest].shown, tokens[longest]
    least = 2 if limit.cuts else new
    if count + least > limit.tokens:
        raise DataError(
            f"The {what} row {name} has {count} tokens, which leaves no room for {least} more within {limit.name}. "
            f"{limit.fix}, or remove that row."
        )
    return [
        f"Of {len(observations):,} rows, the {what} leaves fewer than {new:,} tokens within {limit.name} in {len(tight):,}; the "
        f"longest is {name} with {count:,}. Longer rationales are cut or not trained on."
    ]


def _surely_fits(texts: Iterable[str], tokens: int) -> bool:
    """Return whether texts have at most so many tokens, as far as their bytes in any normal form tell."""
    count = _SPECIAL
    for text in texts:
        forms = [text] if text.isascii() else [normalize(form, text) for form in _FORMS]
        count += max(len(form.encode()) for form in forms)
    return count <= tokens


class _Lengths:
    """Counts the tokens of prompts, each text once."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._known: dict[str, int] = {}

    def of(self, texts: Iterable[str]) -> list[int]:
        wanted = list(texts)
        new = list({text for text in wanted if text not in self._known})
        self._known |= zip(new, map(len, self._vocabulary.prompt_ids(new)), strict=True)
        return [self._known[text] for text in wanted]
