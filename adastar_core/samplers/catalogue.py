"""Every sampler that a configuration can name."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

from pydantic import Field

from adastar_core.samplers import Remembering, Sampler, Stamps, Statistics
from adastar_core.samplers.adastar import AdaStarSettings
from adastar_core.samplers.band import BandSettings
from adastar_core.samplers.boundary import BoundarySettings
from adastar_core.samplers.custom import CustomSettings
from adastar_core.samplers.dart import DartSettings
from adastar_core.samplers.flipped import FlippedSettings
from adastar_core.samplers.random import RandomSettings
from adastar_core.samplers.thompson import ThompsonSettings
from adastar_core.samplers.variance import VarianceSettings

AnySamplerSettings = (
    AdaStarSettings
    | FlippedSettings
    | RandomSettings
    | VarianceSettings
    | ThompsonSettings
    | BandSettings
    | DartSettings
    | BoundarySettings
    | CustomSettings
)
SamplerSettings = Annotated[AnySamplerSettings, Field(discriminator="type")]
Past = Callable[[], Iterable[Stamps]]
"""Returns what every iteration so far has stamped, oldest first."""


def open_sampler(
    settings: AnySamplerSettings,
    seed: int,
    observation_ids: Sequence[str],
    statistics: Statistics,
    past: Past = tuple,
) -> Sampler:
    """Return the sampler, rebuilt from ``statistics`` (N observations, by position).

    Args:
        settings: Which sampler.
        seed: The run's seed.
        observation_ids: By position.
        statistics: What is known of every observation.
        past: Asked only if the sampler is :class:`adastar_core.samplers.Remembering`.

    Raises:
        ConfigError: A sampler of the user's own cannot be loaded.
    """
    sampler = settings.open(statistics, seed, observation_ids)
    if isinstance(sampler, Remembering):
        for stamps in past():
            sampler.recall(stamps)
    return sampler
