"""Questions that the data asks more than once, with one answer or with different ones."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from adastar_core.machine.units import counted
from adastar_core.problems.rows import Row
from adastar_core.records import Observation
from adastar_core.shingles import tokens

_SHOWN = 3

Asked = tuple[Row, Observation]
SameAnswer = Callable[[Observation, Observation], bool]


@lru_cache(maxsize=1 << 18)  # every carving and comparison asks again
def spelling(observation: Observation) -> str:
    """Return what equal questions have in common: without case, white space, prose punctuation and order of options."""
    options = sorted(" ".join(tokens(choice.text)) for choice in observation.choices)
    return "\x1f".join([" ".join(tokens(observation.question)), *options, *surroundings(observation)])


def surroundings(observation: Observation) -> tuple[str, ...]:
    """Return the same of the columns that the prompt shows beside the question: with others it is another question."""
    return tuple(f"{name}\x1e{' '.join(tokens(text))}" for name, text in observation.context)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Groups of rows that ask the same question; of a contradictory group the first two answers differ."""

    agreeing: tuple[tuple[Asked, ...], ...]
    contradictory: tuple[tuple[Asked, ...], ...]

    def unmeasurable(self) -> set[str]:
        return {spelling(group[0][1]) for group in self.contradictory}

    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.agreeing:
            notes.append(
                f"The data asks {_questions(self.agreeing)} more than once, e.g. {_first(self.agreeing)}. "
                "Where validation or test is split from training, equal questions are in one split."
            )
        if self.contradictory:
            notes.append(
                f"The data gives {_questions(self.contradictory)} different answers: {_first(self.contradictory)}. Where "
                "validation and test are split from training they leave these out; training keeps them."
            )
        return tuple(notes)


def find_repeats(asked: Iterable[Asked], same_answer: SameAnswer) -> Repeats:
    """Return the questions that are asked more than once, apart by whether all their answers are the same."""
    groups: dict[str, list[Asked]] = defaultdict(list)
    for pair in asked:
        groups[spelling(pair[1])].append(pair)
    agreeing, contradictory = [], []
    for group in groups.values():
        first = group[0]
        others = [pair for pair in group[1:] if not same_answer(first[1], pair[1])]
        if others:
            contradictory.append((first, *others, *(pair for pair in group[1:] if pair not in others)))
        elif len(group) > 1:
            agreeing.append(tuple(group))
    return Repeats(tuple(agreeing), tuple(contradictory))


def _questions(groups: Sequence[tuple[Asked, ...]]) -> str:
    return f"{counted(len(groups), 'question')} ({sum(map(len, groups)):,} rows)"


def _first(groups: Sequence[tuple[Asked, ...]]) -> str:
    """Return the first groups, e.g. ``train.jsonl row 3 ('5') and train.jsonl row 17 ('6')``."""
    named = [
        " and ".join(
            f"{row.source.rpartition('/')[2]} row {row.number} ({observation.answer!r})"
            for row, observation in group[:2]
        )
        for group in groups[:_SHOWN]
    ]
    return ", ".join(named) + (", ..." if len(groups) > _SHOWN else "")
