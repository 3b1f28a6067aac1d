"""From accepted rationales to the exact sequence of training batches: tokens, masks, order and their counts.

All of it is decided before training starts, so that a resumed training sees the same batches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from adastar_core.config import TrainerSettings
from adastar_core.errors import DataError, NothingAccepted
from adastar_core.streams import generator
from adastar_core.trainers import TrainingExample


@dataclass(frozen=True, slots=True)
class Row:
    """The tokens of one training text: prompt, completion, EOS. The first ``prompt_tokens`` are masked."""

    tokens: tuple[int, ...]
    prompt_tokens: int

    @property
    def trained_tokens(self) -> int:
        """Return how many tokens are predicted and trained; a text's very first has nothing before it."""
        return len(self.tokens) - max(self.prompt_tokens, 1)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Every row in the order of training, ``batch_size`` to a step; the last step may hold fewer."""

    rows: tuple[Row, ...]
    batch_size: int
    micro_batch_size: int

    @property
    def steps(self) -> int:
        """Return the number of optimizer steps."""
        return len(self.batches())

    def batches(self) -> list[tuple[Row, ...]]:
        """Return the rows of each optimizer step."""
        return _chunks(self.rows, self.batch_size)

    def train_tokens(self) -> list[int]:
        """Return the tokens of each step's rows, without padding."""
        return [sum(len(row.tokens) for row in batch) for batch in self.batches()]

    def trained_tokens(self) -> list[int]:
        """Return the tokens that each step's loss is the mean of."""
        return [sum(row.trained_tokens for row in batch) for batch in self.batches()]

    def padded_train_tokens(self) -> int:
        """Return the tokens of all steps, each row padded to the longest of its micro-batch."""
        micro_batches = [micro for batch in self.batches() for micro in _chunks(batch, self.micro_batch_size)]
        return sum(len(micro) * max(len(row.tokens) for row in micro) for micro in micro_batches)


def plan_training(
    rows: Sequence[Row], settings: TrainerSettings, planned_steps: int, seed: int, iteration: int
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
        passes_done = len(order) // len(rows)
        shuffle = generator(seed, "training order", iteration, passes_done)
        order += shuffle.permutation(len(rows)).tolist()
    micro = settings.micro_batch_size or settings.batch_size
    return TrainingPlan(tuple(rows[place] for place in order[:wanted]), settings.batch_size, micro)


def tokenize(
    examples: Sequence[TrainingExample], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[Row]:
    """Return the rows of ``examples``.

    The prompt is tokenised alone, as generation does, so no merge crosses the border to the completion. Text
    that looks like a special token is text in a completion: a model cannot write control tokens this way.

    Raises:
        NothingAccepted: There are no examples.
        DataError: Names the example that has no token to train or more than ``max_length``.
    """
    if not examples:
        raise NothingAccepted("there is nothing to train on: 0 rationales were accepted")
    prompts = tokenizer([example.prompt for example in examples], padding=False, truncation=False)
    completions = tokenizer(
        [example.completion for example in examples],
        add_special_tokens=False,
        split_special_tokens=True,
        padding=False,
        truncation=False,
    )
    pairs = zip(examples, prompts["input_ids"], completions["input_ids"], strict=True)
    return [
        _row(example, prompt, text, tokenizer.eos_token_id, max_length) for example, prompt, text in pairs
    ]


def _row(
    example: TrainingExample, prompt: list[int], completion: list[int], eos: int, max_length: int
) -> Row:
    if not completion:
        raise DataError(
            f"training example {example.name!r} has no token to train: its completion is {example.completion!r}; "
            "empty rationales must not be accepted"
        )
    row = Row((*prompt, *completion, eos), len(prompt))
    if len(row.tokens) > max_length:
        raise DataError(
            f"training example {example.name!r} has {len(row.tokens)} tokens, more than {max_length} "
            "(trainer.max_length or the model's positions, whichever is less); raise trainer.max_length or lower "
            "generator.max_new_tokens"
        )
    return row


def _chunks(rows: tuple[Row, ...], size: int) -> list[tuple[Row, ...]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
