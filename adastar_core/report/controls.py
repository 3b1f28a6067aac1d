"""What an accuracy is compared with: guessing, the most frequent reference, and what was answered at all. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adastar_core.records import Accuracy, Outcome, class_of, is_closed, plain_words
from adastar_core.store.measured import Answered

Counts = tuple[tuple[str, int], ...]
"""Answers with how often each occurs, most frequent first."""

_SHOWN_COUNTS = 10


@dataclass(frozen=True, slots=True)
class Overuse:
    """The answer that is given too often: ``given`` times of ``of`` that were read, where it is right ``allowed`` times.

    ``p`` is the probability of so lopsided errors if answers had the references' shares (McNemar's exact test, times the
    number of answers that were looked at).
    """

    answer: str
    given: int
    allowed: int
    of: int
    p: float

    @property
    def excess(self) -> float:
        """The share of answers beyond that of the references."""
        return (self.given - self.allowed) / self.of


@dataclass(frozen=True, slots=True)
class Controls:
    """One measurement with what it is to be compared with.

    Attributes:
        chance: Expected share of right answers by guessing among the options; ``None`` where answers are open.
        constant: The most frequent reference, and ``majority`` the accuracy of always answering it.
        read: Answers that could be read, of all; ``None`` where the verifier does not say what it read.
        answers: What was read, the ten most frequent; ``references`` likewise.
        overuse: The answer that is most overused, whether or not it is more than chance.
    """

    accuracy: Accuracy
    chance: float | None
    constant: str
    majority: Accuracy
    read: Accuracy | None
    answers: Counts
    references: Counts
    overuse: Overuse | None

    @property
    def right_of_read(self) -> Accuracy | None:
        """The right answers among those that could be read: accuracy apart from format."""
        return None if self.read is None else Accuracy(self.accuracy.correct, self.read.correct)


def controls(items: Sequence[Answered]) -> Controls | None:
    """Return what a measurement of these items is to be compared with; ``None`` for no items."""
    if not items:
        return None
    wanted = [class_of(item.reference, item.choices) for item in items]
    spelled = {
        item.extracted: reference
        for item, reference in zip(items, wanted, strict=True)
        if item.extracted is not None and item.outcome is Outcome.RIGHT
    }
    given = [_given(item, spelled) for item in items]
    references = Counter(wanted)
    constant, often = references.most_common(1)[0]
    right = [item.outcome is Outcome.RIGHT for item in items]
    read = Accuracy(sum(answer is not None for answer in given), len(items))
    return Controls(
        accuracy=Accuracy(sum(right), len(items)),
        chance=_chance(items, references),
        constant=constant,
        majority=Accuracy(often, len(items)),
        read=read if read.correct or not any(right) else None,
        answers=tuple(Counter(answer for answer in given if answer is not None).most_common(_SHOWN_COUNTS)),
        references=tuple(references.most_common(_SHOWN_COUNTS)),
        overuse=_overuse(wanted, given),
    )


def _given(item: Answered, spelled: Mapping[str, str]) -> str | None:
    """Return the class of an item's answer; ``None`` where none could be read.

    A verifier records answers in its own spelling: a right one shows which reference that is.
    """
    if item.extracted is None or item.outcome is Outcome.UNDECIDED:
        return None
    labels = {choice.label for choice in item.choices}
    return (
        item.extracted
        if item.extracted in labels
        else spelled.get(item.extracted, plain_words(item.extracted))
    )


def _chance(items: Sequence[Answered], references: Mapping[str, int]) -> float | None:
    if all(item.choices for item in items):
        return sum(1 / len(item.choices) for item in items) / len(items)
    return 1 / max(2, len(references)) if is_closed(references) else None


def _overuse(wanted: Sequence[str], given: Sequence[str | None]) -> Overuse | None:
    """Return the answer that exceeds its references most; ``None`` where nothing was read."""
    from scipy.special import bdtrc  # a third of the time to load that scipy.stats takes

    pairs = [
        (reference, answer) for reference, answer in zip(wanted, given, strict=True) if answer is not None
    ]
    answers, allowed = Counter(answer for _, answer in pairs), Counter(reference for reference, _ in pairs)
    if not answers:
        return None
    answer = max(answers, key=lambda one: answers[one] - allowed[one])
    # Answers that agree with the reference say nothing of a preference: only errors towards and away from the answer do.
    kept = sum(reference == answer == said for reference, said in pairs)
    towards, away = answers[answer] - kept, allowed[answer] - kept
    p = float(bdtrc(towards - 1, towards + away, 0.5)) if towards else 1.0
    return Overuse(
        answer, answers[answer], allowed[answer], len(pairs), min(1.0, p * len(answers.keys() | allowed))
    )
