"""What a configuration asks of its data that they cannot give, said before anything is spent."""

from collections import Counter
from collections.abc import Mapping, Sequence

from adastar_core.config import RunConfig
from adastar_core.records import Accuracy, Observation, Split, is_closed
from adastar_core.runs.guessing import options_of
from adastar_core.selection.luck import least_attempts

_FEW = 50
"""Questions below which an accuracy is too uncertain to choose a checkpoint by: at 50 it is known to 13 points."""


def data_warnings(config: RunConfig, splits: Mapping[Split, Sequence[Observation]]) -> tuple[str, ...]:
    """Return a paragraph on each thing that will not go as configured; nothing if all will."""
    train = splits[Split.TRAIN]
    sizes = {split: len(observations) for split, observations in splits.items()}
    return (
        *_beta(config, sizes[Split.TRAIN]),
        *_small(sizes),
        *_open_answers(config, train),
        *_too_few_options(config, train),
    )


def _beta(config: RunConfig, pool: int) -> list[str]:
    """Return that beta_t is more than the pool can give, if it is so in some iteration."""
    last = (
        1 if config.budget_pflops is not None else config.iterations
    )  # a budget ends a run nobody knows when
    most = config.rules().accepted_at_most(pool, config.beta(last))
    if not config.trains_up_to_beta() or config.sampler.most_attempts is not None or not most:
        return []
    over = next((t for t in range(1, last + 1) if config.beta(t) > most), None)
    if over is None:
        return []
    schedule, batch = config.schedule, config.trainer.batch_size
    fitting = int(most / batch / schedule.growth ** (last - 1))
    lower = (
        f"Lower schedule.first_steps ({schedule.first_steps}) to {fitting}"
        if fitting
        else f"Lower trainer.batch_size ({batch}) and schedule.first_steps ({schedule.first_steps})"
    )
    return [
        f"WARNING: iteration {over} wants {config.beta(over):,} accepted rationales (beta_{over}), and {pool:,} training questions "
        f"give {most:,} at most. It will visit all of them, train fewer steps, and have nothing to choose from. {lower}, or give "
        "more data."
    ]


def _open_answers(config: RunConfig, train: Sequence[Observation]) -> list[str]:
    """Return that classes cannot be balanced where nearly every answer is a class of its own."""
    if not config.schedule.balance_classes or is_closed(found := Counter(row.answer_class for row in train)):
        return []
    return [
        f"WARNING: schedule.balance_classes (true) keeps equally many rationales of each answer, and the training questions have "
        f"{len(found):,} different ones: little will be left to train on. Set it to false for open answers."
    ]


def _too_few_options(config: RunConfig, train: Sequence[Observation]) -> list[str]:
    """Return that some observations have so few options that K right attempts can be luck."""
    if (level := config.filter.guessing) is None:
        return []
    short = [options for options in options_of(train) if least_attempts(options, level) > config.attempts]
    if not short:
        return []
    return [
        f"WARNING: filter.guessing ({level:g}) can accept nothing of {len(short):,} of {len(train):,} training questions: with so few "
        f"options, all {config.attempts} attempts (attempts) are right by guessing too often. Set attempts to "
        f"{least_attempts(min(short), level)} or more."
    ]


def _small(sizes: Mapping[Split, int]) -> list[str]:
    few = {split: size for split, size in sizes.items() if split is not Split.TRAIN and size < _FEW}
    if not few:
        return []
    low, high = Accuracy(min(few.values()) // 2, min(few.values())).interval() or (0, 1)
    named = " and ".join(f"{split} has {size:,} questions" for split, size in few.items())
    return [
        f"WARNING: {named}. An accuracy of so few is known to about {50 * (high - low):.0f} points up or down (95 %), so the best "
        "checkpoint may be chosen by chance. Give more of them, or a larger share."
    ]
