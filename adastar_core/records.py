"""The frozen records that the parts of the method exchange.

An *observation* is one training problem; an *attempt* is one sampled rationale for it; a *verdict* says
whether the rationale's answer is right. Within a run an observation is also known by its ``position``,
its zero-based place in the dataset, which is what the sampler and the store index by.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import NormalDist
from typing import Literal


class Split(StrEnum):
    """A part of a problem's data."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


EndStatus = Literal["failed", "cancelled", "interrupted"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run's process ended before the run did, and why, in a sentence."""

    status: EndStatus
    reason: str

    def __str__(self) -> str:
        """Return it as the end of a sentence about the run: ``failed: no GPU``."""
        return f"{'' if self.status == 'failed' else 'was '}{self.status}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a multiple-choice question: ``Choice("A", "the wind")``."""

    label: str
    text: str


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The labels of options that have none of their own."""

SHOWN_CHARACTERS = 60
"""Characters of a question that messages show."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One problem with a known answer: question ``x`` and reference answer ``y``.

    Its id is unique within the dataset and stable over time. Only multiple-choice questions have ``choices``.
    ``difficulty`` is a tag to break accuracy down by, e.g. ``"4"`` digits. ``context`` holds the other columns that the
    prompt shows, with their texts.
    """

    observation_id: str
    question: str
    answer: str
    choices: tuple[Choice, ...] = ()
    difficulty: str | None = None
    context: tuple[tuple[str, str], ...] = ()

    @property
    def answer_class(self) -> str:
        """The class of its reference (:func:`class_of`)."""
        return class_of(self.answer, self.choices)

    @property
    def shown(self) -> str:
        """Its id for messages, and how its question begins, by which a row without an id of its own is found."""
        return shown_row(self.observation_id, self.question)


def class_of(reference: str, choices: Sequence[Choice]) -> str:
    """Return the class of a reference: its option's label, or its words without regard to case."""
    plain = plain_words(reference)
    # Labels first: in `(1) 3  (2) 1` the reference 1 is an option's label and another one's text.
    by_label = (choice.label for choice in choices if plain_words(choice.label) == plain)
    by_text = (choice.label for choice in choices if plain_words(choice.text) == plain)
    return next(by_label, next(by_text, plain))


def plain_words(text: str) -> str:
    """Return a text without case and with single spaces, to compare answers by."""
    return " ".join(text.split()).casefold()


MOST_CLASSES = 10
_PER_CLASS = 5


def is_closed(references: Mapping[str, int]) -> bool:
    """Return whether references are few different ones that repeat, so that each is a class of answers."""
    return len(references) <= MOST_CLASSES and sum(references.values()) >= _PER_CLASS * len(references)


def shown_row(observation_id: str, question: str) -> str:
    """Return an observation's id and how its question begins, for messages."""
    begins = "" if question == observation_id else f" ({question[:SHOWN_CHARACTERS]!r})"
    return f"{observation_id!r}{begins}"


@dataclass(frozen=True, slots=True)
class Data:
    """A problem's data as it lies now: splits, each in a stable order, and one sentence per note.

    ``everything`` also has the observations that limits keep out of the splits.
    """

    splits: Mapping[Split, Sequence[Observation]]
    everything: Sequence[Observation]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Right answers among those asked. One is less than another by its share of right answers, never by their count."""

    correct: int
    total: int

    def __lt__(self, other: "Accuracy") -> bool:
        """Compare shares, exactly; that of nothing asked is 0."""
        return self.correct * max(other.total, 1) < other.correct * max(self.total, 1)

    @property
    def share(self) -> float | None:
        """Return the share of right answers, in [0, 1]; ``None`` when nothing was asked."""
        return self.correct / self.total if self.total else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Return Wilson's score interval of the underlying rate; ``None`` when nothing was asked."""
        if not self.total:
            return None
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        correct, wrong, n = self.correct, self.total - self.correct, self.total
        middle = (correct + z * z / 2) / (n + z * z)
        reach = z / (n + z * z) * math.sqrt(correct * wrong / n + z * z / 4)
        return (middle - reach if correct else 0.0), (middle + reach if wrong else 1.0)


class FinishReason(StrEnum):
    """Why a generation ended."""

    EOS = "eos"
    STOP = "stop"
    LENGTH = "length"
    SPECIAL = "special"
    """At a special token that ends nothing, or at an id that the tokenizer does not know: what it stood for is not known."""

    @property
    def broken_off(self) -> str | None:
        """Return how a response broke off before its end, in a few words; ``None`` where it ended."""
        return {
            FinishReason.LENGTH: "cut at the length limit",
            FinishReason.SPECIAL: "broken off at a special token",
        }.get(self)


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One attempt to be sampled: number ``attempt``, from 1, at this observation in this iteration.

    A hinted prompt shows the reference answer (rationalization). ``stream`` is the 64-bit key of the
    attempt's own random stream (:func:`adastar_core.streams.rationale_key`).
    """

    position: int
    attempt: int
    hinted: bool
    prompt: str
    stream: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sampled rationale and what it cost, in tokens; the first three fields are the request's.

    ``response`` has neither prompt, stop string nor special tokens; ``stream`` is 0 for greedy decoding.
    ``generated_tokens`` counts the one that ended it. Padded counts include the padding of the batch it ran
    in, and the steps that the batch took for its longest member.

    ``tokens`` are the generated ids that the response was decoded from, with the end token if there was one
    and without what belongs to a stop string; empty where they are not known.
    """

    position: int
    attempt: int
    hinted: bool
    response: str
    finish_reason: FinishReason
    prompt_tokens: int
    padded_prompt_tokens: int
    generated_tokens: int
    padded_generated_tokens: int
    stream: int
    tokens: tuple[int, ...] = ()


class Outcome(StrEnum):
    """What a verifier says of an answer. Only ``RIGHT`` ever trains."""

    RIGHT = "right"
    WRONG = "wrong"
    UNDECIDED = "undecided"


CUT_SHORT = "cut short: "
"""What the reason of a verdict begins with when the machine decided it, not the answer: its time, or a lost process."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verifier's judgement of one response.

    Attributes:
        outcome: Undecided means ambiguous, truncated, not parsable, or too much work.
        extracted: The answer that was found in the response, as text; ``None`` if none was found.
        found_by: The name of the pattern that found it, e.g. ``"#### X"``; empty if none did.
        reason: One short sentence: why the outcome is what it is.
        verifier: Name and version, e.g. ``"number/1"``; changes whenever behaviour does.
        span: Where in the response what was read stands: its first character, and the one after its last. Not stored,
            because the verifier finds it again.
    """

    outcome: Outcome
    extracted: str | None
    found_by: str
    reason: str
    verifier: str
    span: tuple[int, int] | None = field(default=None, compare=False)

    @property
    def cut_short(self) -> bool:
        """Whether another machine, or another try, may find another verdict."""
        return self.reason.startswith(CUT_SHORT)


class RejectionReason(StrEnum):
    """Why the rationale filter keeps a right rationale out of training."""

    TRUNCATED = "truncated"
    RUN_ON = "run_on"
    EMPTY = "empty"
    HINT_ECHO = "hint_echo"
    OVER_LONG = "over_long"
    NO_ROOM = "no_room"
    """Prompt and rationale together are longer than what can be trained on."""
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    GUESSING = "guessing"
    """Guessing explains how often its observation is right. Known once all of its attempts are judged."""
    INCONSISTENT = "inconsistent"
    """Asked again, the model does not go on from the rationale to the same answer."""
    NOT_NEEDED = "not_needed"
    """The model gives the same answer without a rationale."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The rationale filter's decision against a right rationale: the rule that it breaks, and how."""

    reason: RejectionReason
    detail: str


@dataclass(frozen=True, slots=True)
class Incident:
    """What went wrong during generation and was recovered: in two or three words, and in a sentence."""

    kind: str
    detail: str
