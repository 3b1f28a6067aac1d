"""From accepted rationales to the exact sequence of training batches: tokens, masks, order and their counts.

All of it is decided before training starts, so that a resumed training sees the same batches.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from adastar_core.errors import DataError, NothingAccepted
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.streams import rng
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.settings import TrainerSettings

_GROUPED_BATCHES = 50
"""Batches whose rows are sorted by length together; more batches mean less padding and less randomness."""


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """The tokens of one training text: prompt, completion, end. The first ``prompt_tokens`` are masked."""

    tokens: tuple[int, ...]
    prompt_tokens: int

    @property
    def trained_tokens(self) -> int:
        """Return how many tokens are predicted and trained; a text's very first has nothing before it."""
        return len(self.tokens) - max(self.prompt_tokens, 1)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Every row in the order of training, ``batch_size`` to a step of all processes; the last may hold fewer.

    A forward pass of a process has ``micro_batch_size`` rows, of which short ones share a row if ``packed``.
    """

    rows: tuple[TrainingRow, ...]
    batch_size: int
    micro_batch_size: int
    packed: bool = False
    processes: int = 1

    @property
    def steps(self) -> int:
        return math.ceil(len(self.rows) / self.batch_size)

    def batch(self, step: int) -> tuple[TrainingRow, ...]:
        """Return the rows of an optimizer step, counted from 0."""
        return self.rows[step * self.batch_size : (step + 1) * self.batch_size]

    def micro_batches(self, step: int, rank: int = 0) -> list[tuple[TrainingRow, ...]]:
        """Return the rows of process ``rank`` in a step: as many micro-batches as every other process, some of them empty."""
        batch = self.batch(step)
        count = math.ceil(math.ceil(len(batch) / self.processes) / self.micro_batch_size)
        own = _chunks(batch[rank :: self.processes], self.micro_batch_size)
        return own + [()] * (count - len(own))

    def train_tokens(self) -> list[int]:
        """Return the tokens of each step's rows, without padding."""
        return [sum(len(row.tokens) for row in self.batch(step)) for step in range(self.steps)]

    def padded_train_tokens(self) -> int:
        """Return the tokens of all steps as they go through the model, with the padding of each micro-batch."""
        return sum(
            max(len(row.tokens) for row in micro) * (len(pack(micro)) if self.packed else len(micro))
            for step in range(self.steps)
            for rank in range(self.processes)
            for micro in self.micro_batches(step, rank)
            if micro
        )

    def trained_tokens(self) -> list[int]:
        """Return the tokens that each step's loss is the mean of."""
        return [sum(row.trained_tokens for row in self.batch(step)) for step in range(self.steps)]


def pack(rows: Sequence[TrainingRow]) -> list[list[TrainingRow]]:
    """Return rows put together so that none of the sums is longer than the longest row: first fit, longest first.

    Attention's cost per row is then no more than that of padding.
    """
    longest = max(len(row.tokens) for row in rows)
    bins: list[list[TrainingRow]] = []
    room: list[int] = []
    for row in sorted(rows, key=lambda row: len(row.tokens), reverse=True):
        length = len(row.tokens)
        place = next((place for place, left in enumerate(room) if left >= length), len(bins))
        if place == len(bins):
            bins.append([])
            room.append(longest)
        bins[place].append(row)
        room[place] -= length
    return bins


def plan_training(
    rows: Sequence[TrainingRow], settings: TrainerSettings, planned_steps: int, seed: int, iteration: int
) -> TrainingPlan:
    """Put rows in their training order: a new shuffle for every pass over them.

    ``shrink`` trains each row once. ``repeat`` goes through the rows again until ``planned_steps`` batches are
    full; where they would not hold all rows, it trains each once all the same.
    """
    wanted = len(rows)
    if settings.on_exhausted == "repeat":
        wanted = max(wanted, planned_steps * settings.batch_size)
    order: list[int] = []
    while len(order) < wanted:
        shuffle = rng(seed, "training order", iteration, len(order) // len(rows))
        order += shuffle.permutation(len(rows)).tolist()
    ordered = tuple(rows[place] for place in order[:wanted])
    if settings.batching == "length_grouped":
        ordered = _grouped_by_length(ordered, settings.batch_size, seed, iteration)
    share = math.ceil(settings.batch_size / settings.processes)
    return TrainingPlan(
        ordered,
        settings.batch_size,
        settings.micro_batch_size or share,
        packed=settings.batching == "packed",
        processes=settings.processes,
    )


def _grouped_by_length(
    rows: tuple[TrainingRow, ...], size: int, seed: int, iteration: int
) -> tuple[TrainingRow, ...]:
    """Return the rows with batches of similar length, in random order; a last batch that is not full stays last."""
    grouped: list[TrainingRow] = []
    for chunk in _chunks(rows, size * _GROUPED_BATCHES):
        grouped += sorted(chunk, key=lambda row: len(row.tokens), reverse=True)
    batches = _chunks(tuple(grouped), size)
    full = [batch for batch in batches if len(batch) == size]
    order = rng(seed, "batch order", iteration).permutation(len(full)).tolist()
    shuffled = [full[place] for place in order] + [batch for batch in batches if len(batch) < size]
    return tuple(row for batch in shuffled for row in batch)


def tokenize(
    examples: Sequence[TrainingExample], vocabulary: Vocabulary, max_length: int
) -> list[TrainingRow]:
    """Return the rows of ``examples``.

    A prompt has the ids that generation gave it. A completion keeps its generated ids where they are known, and is
    tokenised otherwise.

    Raises:
        NothingAccepted: There are no examples.
        DataError: Names the example that has no token to train or more than ``max_length``.
    """
    if not examples:
        raise NothingAccepted("there is nothing to train on: 0 rationales were accepted")
    prompts = vocabulary.prompt_ids([example.prompt for example in examples])
    rows = []
    for example, prompt in zip(examples, prompts, strict=True):
        completion = example.tokens or vocabulary.completed(example.completion, (), chat=False)
        if len(completion) < 2:  # the end of the text alone
            raise DataError(
                f"training example {example.name!r} has no token to train: its completion is {example.completion!r}; "
                "empty rationales must not be accepted"
            )
        row = TrainingRow((*prompt, *completion), len(prompt))
        if len(row.tokens) > max_length:
            raise DataError(
                f"training example {example.name!r} has {len(row.tokens)} tokens, more than {max_length} "
                "(trainer.max_length or the model's positions, whichever is less); raise trainer.max_length or lower "
                "generator.max_new_tokens"
            )
        rows.append(row)
    return rows


def _chunks(rows: tuple[TrainingRow, ...], size: int) -> list[tuple[TrainingRow, ...]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
