"""Every sampler that a configuration can name."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from pydantic import Field

from adastar_core import samplers
from adastar_core.records import Observation
from adastar_core.samplers import (
    adastar,
    band,
    boundary,
    custom,
    dart,
    flipped,
    frontier,
    gps,
    learnability,
    learning_progress,
    mopps,
    random,
    thompson,
    variance,
)

AnySamplerSettings = (
    adastar.AdaStarSettings
    | flipped.FlippedSettings
    | random.RandomSettings
    | variance.VarianceSettings
    | thompson.ThompsonSettings
    | mopps.MoPPSSettings
    | learnability.LearnabilitySettings
    | learning_progress.LearningProgressSettings
    | gps.GPSSettings
    | frontier.FrontierSettings
    | band.BandSettings
    | dart.DartSettings
    | boundary.BoundarySettings
    | custom.CustomSettings
)
SamplerSettings = Annotated[AnySamplerSettings, Field(discriminator="type")]
Past = Callable[[], Iterable[samplers.Stamps]]
"""Returns what every iteration so far has stamped, oldest first."""


def open_sampler(
    settings: AnySamplerSettings,
    seed: int,
    pool: Sequence[Observation],
    statistics: samplers.Statistics,
    past: Past = tuple,
) -> samplers.Sampler:
    """Return the pool's sampler, rebuilt from ``statistics`` (by position) and, if it remembers, from the ``past``.

    Raises:
        ConfigError: A sampler of the user's own cannot be loaded.
    """
    sampler = settings.open_for(statistics, seed, pool)
    if isinstance(sampler, samplers.Remembering):
        for stamps in past():
            sampler.recall(stamps)
    return sampler
