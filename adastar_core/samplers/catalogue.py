"""Every sampler that a configuration can name, and how to open it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Literal, assert_never

import numpy as np
import numpy.typing as npt
from pydantic import Field

from adastar_core import streams
from adastar_core.samplers import Remembering, Sampler, Stamps, Statistics
from adastar_core.samplers.adastar import AdaStarSampler, Ranks
from adastar_core.samplers.band import BandSampler, BandSettings
from adastar_core.samplers.boundary import BoundarySampler, BoundarySettings
from adastar_core.samplers.custom import CustomSettings, open_custom
from adastar_core.samplers.dart import DartSampler, DartSettings
from adastar_core.samplers.flipped import FlippedSampler
from adastar_core.samplers.random import RandomSampler, RandomSettings
from adastar_core.samplers.thompson import ThompsonSampler, ThompsonSettings
from adastar_core.samplers.variance import VarianceSampler, VarianceSettings
from adastar_core.selection import Rounding
from adastar_core.settings import Settings, setting


class AdaStarSettings(Settings):
    """AdaSTaR: least recently, then least successfully sampled observations first."""

    type: Literal["adastar"] = "adastar"
    power: float = setting(
        2.0, 0, "Power", "Exponent p of u = floor(m * alpha^p); 0 stamps every visit (AdaD).", ge=0
    )
    tiebreak: Literal["seeded", "official"] = setting(
        "seeded",
        1,
        "Tie-break",
        "Order among equals: a seeded permutation, or ids as strings as the official code has it.",
    )
    rounding: Rounding = setting(
        "floor",
        2,
        "Rounding",
        "How u becomes a whole number: floor as printed, round as in the official code.",
    )
    win_rate: bool = setting(
        True,
        3,
        "Use the win rate",
        "Whether the win rate decides among the equally recent; off is an ablation.",
    )


class FlippedSettings(Settings):
    """AdaSTaR with the priority flipped: least successful, then least recently sampled first."""

    type: Literal["flipped"] = "flipped"
    power: float = setting(2.0, 0, "Power", "Exponent p of u = floor(m * alpha^p).", ge=0)


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
                _ranks(settings, seed, observation_ids),
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


def _ranks(settings: AdaStarSettings, seed: int, observation_ids: Sequence[str]) -> Ranks:
    if settings.tiebreak == "official":
        return string_ranks(observation_ids)
    return streams.tiebreak_ranks(seed, len(observation_ids))


def string_ranks(observation_ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return each id's place when ids are sorted as strings, as the official code breaks ties."""
    ranks = np.empty(len(observation_ids), dtype=np.int64)
    ranks[np.argsort(np.array(observation_ids, dtype=object), kind="stable")] = np.arange(
        len(observation_ids)
    )
    return ranks
