"""Every sampler that a configuration can name."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from pydantic import Field

from adastar_core import samplers
from adastar_core.samplers import adastar, band, boundary, custom, dart, flipped, random, thompson, variance

AnySamplerSettings = (
    adastar.AdaStarSettings
    | flipped.FlippedSettings
    | random.RandomSettings
    | variance.VarianceSettings
    | thompson.ThompsonSettings
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
    observation_ids: Sequence[str],
    statistics: samplers.Statistics,
    past: Past = tuple,
) -> samplers.Sampler:
    """Return the sampler, rebuilt from ``statistics`` (by position) and, if it remembers, from the ``past``.

    Raises:
        ConfigError: A sampler of the user's own cannot be loaded.
    """
    sampler = settings.open(statistics, seed, observation_ids)
    if isinstance(sampler, samplers.Remembering):
        for stamps in past():
            sampler.recall(stamps)
    return sampler
