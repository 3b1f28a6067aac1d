"""Among how many answers a guess is, and whether ``filter.guessing`` can accept anything there."""

from collections import Counter
from collections.abc import Sequence

from adastar_core.config import RunConfig
from adastar_core.errors import ConfigError
from adastar_core.records import Observation, is_closed
from adastar_core.samplers import Allocating, Statistics
from adastar_core.samplers.custom import CustomSettings
from adastar_core.selection.luck import least_attempts


def options_of(observations: Sequence[Observation]) -> list[int]:
    """Return among how many answers a guess at each observation is: its options, else the classes; 0 where open."""
    references = Counter(row.answer_class for row in observations if not row.choices)
    classes = max(2, len(references)) if references and is_closed(references) else 0
    return [max(2, len(row.choices)) if row.choices else classes for row in observations]


def check_guessing(config: RunConfig, train: Sequence[Observation]) -> None:
    """Refuse ``filter.guessing`` where it has no meaning or could accept nothing.

    Raises:
        ConfigError: Answers are open, attempts are too few for every observation, or a sampler allots them.
    """
    level = config.filter.guessing
    if level is None:
        return
    options = options_of(train)
    if not all(options):
        raise ConfigError(
            f"filter.guessing ({level:g}) compares with guessing among options or few classes of answers, and "
            f"{options.count(0):,} of {len(train):,} training questions have neither. Leave it out."
        )
    most = max(options, default=2)
    least = least_attempts(most, level)
    if config.attempts < least:
        raise ConfigError(
            f"filter.guessing ({level:g}) can accept nothing with attempts ({config.attempts}): guessing among {most} "
            f"answers is right in all of them too often. Set attempts to {least} or more."
        )
    if isinstance(config.sampler, CustomSettings):
        ids = [row.observation_id for row in train]
        if isinstance(config.sampler.open(Statistics.empty(len(train)), config.seed, ids), Allocating):
            raise ConfigError(
                f"filter.guessing ({level:g}) needs all attempts of every observation, and sampler.path ({config.sampler.path}) "
                "allots them. Leave it out."
            )
