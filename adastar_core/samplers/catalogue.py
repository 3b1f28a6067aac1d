"""Every sampler that a configuration can name, and how to open it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, assert_never

from pydantic import Field

from adastar_core.samplers import Remembering, Sampler, Stamps, Statistics
from adastar_core.samplers.adastar import AdaStarSampler, AdaStarSettings, ranks_of
from adastar_core.samplers.band import BandSampler, BandSettings
from adastar_core.samplers.boundary import BoundarySampler, BoundarySettings
from adastar_core.samplers.custom import CustomSettings, open_custom
from adastar_core.samplers.dart import DartSampler, DartSettings
from adastar_core.samplers.flipped import FlippedSampler, FlippedSettings
from adastar_core.samplers.random import RandomSampler, RandomSettings
from adastar_core.samplers.thompson import ThompsonSampler, ThompsonSettings
from adastar_core.samplers.variance import VarianceSampler, VarianceSettings

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
    sampler = _open(settings, seed, observation_ids, statistics)
    if isinstance(sampler, Remembering):
        for stamps in past():
            sampler.recall(stamps)
    return sampler


def _open(
    settings: AnySamplerSettings, seed: int, observation_ids: Sequence[str], statistics: Statistics
) -> Sampler:
    match settings:
        case AdaStarSettings():
            return AdaStarSampler(
                statistics,
                ranks_of(settings, seed, observation_ids),
                settings.power,
                by_win_rate=settings.win_rate,
                rounding=settings.rounding,
            )
        case FlippedSettings():
            return FlippedSampler(statistics, seed, settings.power)
        case RandomSettings():
            return RandomSampler(statistics, seed)
        case VarianceSettings():
            return VarianceSampler(statistics, seed, settings)
        case ThompsonSettings():
            return ThompsonSampler(statistics, seed, settings)
        case BandSettings():
            return BandSampler(statistics, seed, settings)
        case DartSettings():
            return DartSampler(statistics, seed, settings)
        case BoundarySettings():
            return BoundarySampler(statistics, seed, settings)
        case CustomSettings():
            return open_custom(settings, statistics, seed, observation_ids)
        case _:
            assert_never(settings)
